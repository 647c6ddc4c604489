import io
from fractions import Fraction
from importlib.util import find_spec

import av
import numpy as np
import pytest
from made_videos import RedSquareDetector, anonymizer, is_red, picture
from PIL import Image

from mmanon.anonymizer import AnonymizerInferencer
from mmanon.anonymizer.io.deep_images import encode_deep, read_deep
from mmanon.anonymizer.io.image_files import open_image
from mmanon.utils.images import enable_heif


def anonymize(source, out_dir, **kwargs):
    (outcome,) = anonymizer(**kwargs)(source, out_dir)
    return outcome


def written(source, out_dir, **kwargs):
    outcome = anonymize(source, out_dir, **kwargs)
    assert outcome.status == 'written', outcome.reason
    assert [path.name for path in out_dir.iterdir()] == [source.name]
    return outcome


RGB = picture(3)
ALPHA = np.dstack([RGB, np.tile(np.arange(96, dtype=np.uint8), (64, 1))])


@pytest.mark.parametrize(
    ('name', 'mode'),
    [
        *(('a.jpg', 'RGB'), ('a.png', 'RGB'), ('a.png', 'RGBA'), ('a.webp', 'RGB')),
        *(('a.bmp', 'RGB'), ('a.tif', 'RGB'), ('a.png', 'P'), ('a.ppm', 'RGB')),
    ],
)
def test_colour_images_keep_their_kind(tmp_path, name, mode):
    image = Image.fromarray(ALPHA if mode == 'RGBA' else RGB)
    if mode == 'P':
        image = image.quantize(64)
    image.save(tmp_path / name)
    outcome = written(tmp_path / name, tmp_path / 'out')
    assert (outcome.frames, outcome.faces) == (1, 1)
    with Image.open(outcome.out) as result, Image.open(tmp_path / name) as source:
        assert result.format == source.format and result.size == source.size
        assert result.mode == {'P': 'RGB'}.get(mode, mode)
        pixels, before = (np.asarray(x.convert('RGB'), int) for x in (result, source))
        assert is_red(before).sum() > 200 and not is_red(pixels).any()
        assert np.abs(pixels[:, 50:] - before[:, 50:]).max() <= 8
        if mode == 'RGBA':
            assert np.array_equal(np.asarray(result)[..., 3], ALPHA[..., 3])


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_16_bit_png_keeps_its_depth(tmp_path, channels):
    deep = RGB.astype(np.uint16) * 257
    deep[::2] += 3
    boxes = tmp_path / 'boxes.json'
    boxes.write_text('{"a.png": [[14, 20, 30, 36]]}')
    image = {1: deep[..., 0], 3: deep, 4: np.dstack([deep, deep[..., :1]])}[channels]
    (tmp_path / 'a.png').write_bytes(encode_deep(image, '.png'))
    out = written(tmp_path / 'a.png', tmp_path / 'out', boxes=boxes).out
    after = read_deep(out)
    assert after.dtype == np.uint16 and after.shape == image.shape
    assert np.array_equal(after[:, 40:], image[:, 40:])
    assert np.abs(after[22:34, 16:28].astype(int)[..., :1] - 32767).max() < 300


def test_grey_and_grey_with_alpha_stay_grey(tmp_path):
    grey = RGB[..., 0].copy()
    boxes = tmp_path / 'boxes.json'
    for name, pixels in [
        ('a.png', grey),
        ('b.jpg', grey),
        ('c.png', np.dstack([grey, ALPHA[..., 3]])),
    ]:
        boxes.write_text(f'{{"{name}": [[14, 20, 30, 36]]}}')
        Image.fromarray(pixels).save(tmp_path / name)
        (outcome,) = anonymizer(boxes=boxes)(tmp_path / name, tmp_path / 'out')
        with Image.open(outcome.out) as result:
            assert result.mode == ('LA' if name == 'c.png' else 'L')
            after = np.asarray(result).reshape(64, 96, -1)
        assert np.abs(after[22:34, 16:28, 0].astype(int) - 127).max() <= 8
        if name == 'c.png':
            assert np.array_equal(after[..., 1], ALPHA[..., 3])
            assert np.array_equal(after[:, 40:, 0], grey[:, 40:])


def test_exif_orientation_is_applied_and_what_identifies_is_removed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    exif[0x010F] = 'CameraMaker'
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 27.0)
    exif.get_ifd(0x8769)[0x9003] = '2020:01:01 10:00:00'
    turned = np.ascontiguousarray(np.rot90(RGB))  # counter-clockwise, as it is stored
    path = tmp_path / 'a.jpg'
    Image.fromarray(turned).save(path, exif=exif, comment=b'for Eve', quality=95)
    outcome = written(path, tmp_path / 'out')
    with Image.open(outcome.out) as result:
        assert result.size == (96, 64) and not result.getexif()
        assert 'comment' not in result.info
        after = np.asarray(result).astype(int)
    assert np.abs(after[:, 50:] - RGB[:, 50:]).mean() < 4 and not is_red(after).any()
    assert b'CameraMaker' not in outcome.out.read_bytes()
    for word in ('CameraMaker', 'GPS', 'comment', 'details of the shot'):
        assert any(word in one for one in outcome.removed), word
    kept = written(path, tmp_path / 'kept', keep_metadata=True)
    with Image.open(kept.out) as result:
        assert result.getexif()[0x010F] == 'CameraMaker'
        assert 0x0112 not in result.getexif()


def test_thumbnails_are_removed_even_where_metadata_is_kept(tmp_path):
    path = tmp_path / 'a.jpg'
    packed = io.BytesIO()
    Image.fromarray(RGB).save(packed, 'JPEG')
    thumbnail = packed.getvalue()
    # IFD0 with one tag, then IFD1 with the thumbnail's place and length.
    make = b'Eve\0'
    tiff = b'II*\0\x08\0\0\0' + b'\x01\0' + b'\x0f\x01\x02\0\x04\0\0\0' + make
    tiff += b'\x1a\0\0\0' + b'\x02\0'
    tiff += b'\x01\x02\x04\0\x01\0\0\0' + (56).to_bytes(4, 'little')
    tiff += b'\x02\x02\x04\0\x01\0\0\0' + len(thumbnail).to_bytes(4, 'little')
    tiff += b'\0\0\0\0'
    exif = b'Exif\0\0' + tiff + thumbnail
    Image.fromarray(RGB).save(path, exif=exif)
    assert thumbnail in path.read_bytes()
    for keep in (False, True):
        outcome = written(path, tmp_path / str(keep), keep_metadata=keep)
        assert b'\xff\xd8\xff' not in outcome.out.read_bytes()[3:]
        assert any('thumbnail' in word for word in outcome.removed)


@pytest.mark.parametrize('name', ['a.gif', 'a.webp', 'a.png'])
def test_moving_pictures_are_handled_frame_by_frame(tmp_path, name):
    frames = [Image.fromarray(picture(t)) for t in range(6)]
    durations = [40, 80, 120, 40, 80, 120]
    frames[0].save(
        tmp_path / name,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=3,
        **({'lossless': True} if 'webp' in name else {}),
    )
    outcome = written(
        tmp_path / name, tmp_path / 'out', detector=RedSquareDetector(blind=[2])
    )
    assert (outcome.frames, outcome.faces, outcome.filled) == (6, 6, 1)
    again = open_image(outcome.out)
    assert again.frames == 6 and again.durations == durations and again.loop == 3
    for before, after in zip(frames, again.pixels(), strict=True):
        assert not is_red(after[..., :3]).any()
        after = after[:, 60:, :3].astype(int)
        assert np.abs(np.asarray(before)[:, 60:] - after).mean() < 12


def playing(path):
    with Image.open(path) as image:
        times = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            times.append(image.info.get('duration'))
        return times, image.info.get('loop'), image.info.get('default_image')


SAME = [Image.fromarray(picture(t)) for t in (0, 0, 0, 1, 1, 2)]
LASTING = [40, 80, 120, 40, 80, 120]


def test_a_moving_png_of_equal_frames_keeps_them_all(tmp_path):
    first, *others = SAME
    moving = dict(save_all=True, append_images=others, duration=LASTING, disposal=1)
    first.save(tmp_path / 'a.png', loop=2, **moving)
    out = written(tmp_path / 'a.png', tmp_path / 'out').out
    assert playing(out) == playing(tmp_path / 'a.png') == (LASTING, 2, None)


def test_the_default_picture_of_a_moving_png_is_covered_and_not_played(tmp_path):
    first, *others = SAME
    moving = dict(save_all=True, append_images=others, duration=LASTING[1:], disposal=1)
    first.save(tmp_path / 'a.png', default_image=True, **moving)
    out = written(tmp_path / 'a.png', tmp_path / 'out').out
    assert playing(out) == playing(tmp_path / 'a.png')
    assert playing(out)[0][1:] == LASTING[1:] and playing(out)[2]
    for pixels in open_image(out).pixels():
        assert not is_red(pixels[..., :3]).any()


@pytest.mark.parametrize('loop', [None, 0, 1, 3])
def test_a_gif_is_played_as_often_as_it_was(tmp_path, loop):
    often = {} if loop is None else {'loop': loop}
    first, *others = [Image.fromarray(picture(t)) for t in range(3)]
    first.save(
        tmp_path / 'a.gif', save_all=True, append_images=others, duration=80, **often
    )
    out = written(tmp_path / 'a.gif', tmp_path / 'out').out
    assert playing(out) == playing(tmp_path / 'a.gif') == ([80] * 3, loop, None)


def test_a_gif_of_equal_frames_keeps_them_all(tmp_path):
    with av.open(str(tmp_path / 'a.gif'), 'w') as container:
        stream = container.add_stream('gif', 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'rgb8'
        for t, image in enumerate(SAME):
            frame = av.VideoFrame.from_image(image).reformat(format='rgb8')
            frame.pts, frame.time_base = 4 * t, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    out = written(tmp_path / 'a.gif', tmp_path / 'out').out
    assert playing(out)[0] == playing(tmp_path / 'a.gif')[0] == [40] * 6


def test_of_a_phones_several_pictures_the_first_is_covered(tmp_path):
    first, second = (Image.fromarray(picture(t)) for t in (0, 5))
    first.save(tmp_path / 'a.mpo', 'MPO', save_all=True, append_images=[second])
    (tmp_path / 'a.mpo').rename(tmp_path / 'a.jpg')
    outcome = written(tmp_path / 'a.jpg', tmp_path / 'out')
    with Image.open(outcome.out) as image:
        assert image.format == 'JPEG' and not is_red(np.asarray(image)).any()
    assert 'removed: 1 pictures after the first' in outcome.removed
    # The second is not there under cover of the first.
    assert outcome.out.read_bytes().count(b'\xff\xd8\xff') == 1


def test_a_tiffs_structure_is_no_metadata_and_what_is_removed_is_called_so(tmp_path):
    Image.fromarray(RGB).save(tmp_path / 'a.tif', exif={0x010F: 'CameraMaker'})
    outcome = written(tmp_path / 'a.tif', tmp_path / 'out')
    assert outcome.removed == ['removed: EXIF Make = CameraMaker']


@pytest.mark.parametrize('name', ['a.avif', 'a.jfif', 'a.apng', 'a.mpo', 'a.pnm'])
def test_images_by_less_usual_names(tmp_path, name):
    kinds = {'a.jfif': 'JPEG', 'a.apng': 'PNG', 'a.mpo': 'JPEG', 'a.pnm': 'PPM'}
    Image.fromarray(RGB).save(tmp_path / name, kinds.get(name))
    out = written(tmp_path / name, tmp_path / 'out').out
    with Image.open(out) as image:
        assert not is_red(np.asarray(image.convert('RGB'))).any()


def test_heic_is_read_by_its_extra_or_the_extra_named(tmp_path):
    if find_spec('pillow_heif') is None:
        (tmp_path / 'a.heic').write_bytes(b'of a phone')
        outcome = anonymize(tmp_path / 'a.heic', tmp_path / 'out')
        assert outcome.status == 'failed' and 'mmanon[heic]' in outcome.reason
        return
    enable_heif('a.heic')
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, 'CameraMaker'
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(RGB)))
    turned.save(tmp_path / 'a.heic', exif=exif.tobytes(), quality=95)
    outcome = written(tmp_path / 'a.heic', tmp_path / 'out')
    with Image.open(outcome.out) as image:
        assert (image.format, image.size) == ('HEIF', (96, 64))
        after = np.asarray(image.convert('RGB')).astype(int)
    assert not is_red(after).any()
    assert np.abs(after[:, 50:] - RGB[:, 50:]).mean() < 5
    assert b'CameraMaker' not in outcome.out.read_bytes()


def test_an_image_above_the_limit_is_refused_with_the_way_to_raise_it(tmp_path):
    Image.new('RGB', (2000, 1000)).save(tmp_path / 'a.png')
    outcome = anonymize(tmp_path / 'a.png', tmp_path / 'out', largest_image=1.5)
    assert 'a.png has 2 megapixels' in outcome.reason
    assert '--largest-image 3' in outcome.reason
    assert anonymize(tmp_path / 'a.png', tmp_path / 'out').status == 'written'


def test_a_pixel_and_a_huge_image_are_images(tmp_path):
    Image.new('RGB', (1, 1), (9, 9, 9)).save(tmp_path / 'one.png')
    assert (
        written(tmp_path / 'one.png', tmp_path / 'a', detector='centerface').frames == 1
    )
    huge = np.zeros((5000, 4200, 3), np.uint8)
    huge[3000:3900, 2000:2900] = (220, 30, 30)
    Image.fromarray(huge).save(tmp_path / 'huge.jpg')
    outcome = written(tmp_path / 'huge.jpg', tmp_path / 'b')
    with Image.open(outcome.out) as result:
        assert result.size == (4200, 5000)
        seen = np.asarray(result.crop((1900, 2900, 3000, 4000)))
    assert not is_red(seen).any()


def test_arrays_come_back_anonymized_and_the_given_ones_are_left(tmp_path):
    inferencer = anonymizer()
    given = RGB.copy()
    (outcome,) = inferencer(given)
    assert outcome.status == 'returned' and np.array_equal(given, RGB)
    assert not is_red(outcome.image).any()
    first, second = inferencer([given, given], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        '00000000.png',
        '00000001.png',
    ]
    assert np.array_equal(np.asarray(Image.open(second.out)), first.image)
    with pytest.raises(ValueError, match='uint8'):
        inferencer(given.astype(float))


def test_what_cannot_be_examined_is_covered_whole():
    inferencer = anonymizer(detector=RedSquareDetector(raising=[0]))
    (outcome,) = inferencer(RGB)
    assert outcome.whole == 1 and (outcome.image == 127).all()


@pytest.mark.parametrize(
    ('name', 'content', 'reason'),
    [
        ('a.jpg', b'', 'empty'),
        ('a.png', b'not a picture', 'not an image'),
        ('a.jpg', None, 'cannot be'),
    ],
)
def test_damaged_images_fail_with_a_reason(tmp_path, name, content, reason):
    if content is None:
        Image.fromarray(RGB).save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        content = content[: len(content) // 2]
    (tmp_path / name).write_bytes(content)
    outcome = anonymize(tmp_path / name, tmp_path / 'out')
    assert outcome.status == 'failed' and reason in outcome.reason
    assert not list((tmp_path / 'out').iterdir())


def test_a_small_face_in_a_photograph_shows_where_it_is_enlarged():
    data = pytest.importorskip('skimage.data')
    portrait = Image.fromarray(data.astronaut()).resize((66, 66))  # its face: 13 pixels
    photo = Image.new('RGB', (320, 240), (90, 110, 140))
    photo.paste(portrait, (120, 80))
    pixels = np.asarray(photo)
    small = AnonymizerInferencer(modifier='green')
    assert small(pixels)[0].faces == 1
    # Once, though both looks see a larger one.
    assert small(data.astronaut())[0].faces == 1
    # A detector of one's own is asked once.
    own = RedSquareDetector()
    anonymizer(detector=own)(picture(0))
    assert own.count == 0
