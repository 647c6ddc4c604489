"""The picture that people see is read, upright, of any kind of file; or refused."""

import numpy as np
import pytest
from made_images import CMYK, WHITE_IS_ZERO, write_tiff
from made_videos import anonymizer, is_red, picture
from PIL import Image, ImageCms

from mmanon.anonymizer.io.image_files import as_colour, open_image
from mmanon.anonymizer.io.sources import InputError
from mmanon.utils.orientation import Orientation

SEEN = picture(3)
GREY = SEEN[..., 1]
DEEP = SEEN.astype(np.uint16) * 257


def read(path):
    (pixels,) = open_image(path).pixels()
    return pixels


def eight(pixels):
    colour = as_colour(pixels)
    return colour if colour.dtype == np.uint8 else (colour >> 8).astype(np.uint8)


@pytest.mark.parametrize('turn', range(1, 9))
@pytest.mark.parametrize('kind', ['colour', 'grey', 'deep colour', 'deep grey'])
def test_a_turned_tiff_is_read_upright_once(tmp_path, turn, kind):
    seen = {
        'colour': SEEN,
        'grey': GREY,
        'deep colour': DEEP,
        'deep grey': DEEP[..., 1],
    }
    path = tmp_path / 'a.tif'
    write_tiff(path, Orientation.of_exif(turn).stored(seen[kind]), turn=turn)
    assert np.array_equal(read(path), seen[kind])


@pytest.mark.parametrize('turn', [3, 6, 8])
@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'P'])
def test_a_turned_tiff_of_pillow_is_covered(tmp_path, turn, mode):
    stored = Orientation.of_exif(turn).stored(SEEN)
    image = Image.fromarray(stored)
    image = image.quantize(64) if mode == 'P' else image.convert(mode)
    image.save(tmp_path / 'o.tif', exif={274: turn})
    (outcome,) = anonymizer()(tmp_path / 'o.tif', tmp_path / 'out')
    assert (outcome.status, outcome.faces) == ('written', 1)
    after = eight(read(outcome.out))
    assert after.shape == SEEN.shape and not is_red(after).any()
    assert np.abs(after[:, 50:].astype(int) - SEEN[:, 50:]).mean() < 4


@pytest.mark.parametrize('tile', [None, 16])
@pytest.mark.parametrize('deep', [False, True])
def test_white_is_zero_and_tiles_are_read(tmp_path, deep, tile):
    grey = GREY.astype(np.uint16) * 257 if deep else GREY
    most = 65535 if deep else 255
    path = tmp_path / 'a.tif'
    write_tiff(path, most - grey, WHITE_IS_ZERO, tile=tile)
    assert np.array_equal(read(path), grey)
    write_tiff(path, grey, tile=tile)
    assert np.array_equal(read(path), grey)


def test_colours_of_16_bits_in_tiles_keep_their_colours(tmp_path):
    path = write_tiff(tmp_path / 'a.tif', DEEP, tile=16)
    image = open_image(path)
    (pixels,) = image.pixels()
    assert np.abs(eight(pixels).astype(int) - SEEN).max() <= 1
    assert pixels.dtype == np.uint16 or any(
        '16 bits' in said for said in image.problems
    )


def test_planes_of_8_bits_are_read(tmp_path):
    path = write_tiff(tmp_path / 'a.tif', SEEN, planes_apart=True)
    assert np.array_equal(read(path), SEEN)


REFUSED = {
    'fractions': GREY.astype(np.float32) / 255,
    'degrees': GREY.astype(np.float32) / 12 + 20,
    'long fractions': GREY / 255,
    'colour fractions': SEEN.astype(np.float32) / 255,
    'long numbers': GREY.astype(np.int32) * 257,
    'longer numbers': GREY.astype(np.uint32) * 257 * 65537,
    'below zero': (GREY.astype(np.int32) * 257 - 32768).astype(np.int16),
    'short, below zero': (GREY.astype(int) - 128).astype(np.int8),
}


@pytest.mark.parametrize('kind', REFUSED)
def test_values_of_which_black_and_white_are_unknown_are_refused(tmp_path, kind):
    path = write_tiff(tmp_path / 'odd.tif', REFUSED[kind])
    with pytest.raises(InputError, match=r'odd\.tif.*8 or 16 bits'):
        read(path)
    (outcome,) = anonymizer()(path, tmp_path / 'out')
    assert outcome.status == 'failed' and not list((tmp_path / 'out').iterdir())


def test_planes_and_inks_of_16_bits_are_refused(tmp_path):
    apart = write_tiff(tmp_path / 'apart.tif', DEEP, planes_apart=True)
    inks = np.dstack([65535 - DEEP, np.zeros_like(DEEP[..., :1])])
    inks = write_tiff(tmp_path / 'inks.tif', inks, CMYK)
    for path in (apart, inks):
        with pytest.raises(InputError, match=path.name):
            read(path)


@pytest.mark.parametrize('most', [1000, 4095, 65535])
@pytest.mark.parametrize('kind', ['P2', 'P5', 'P6'])
def test_a_pgm_or_ppm_of_more_than_8_bits_keeps_them(tmp_path, most, kind):
    seen = SEEN if kind == 'P6' else GREY
    values = np.round(seen / 255 * most).astype('>u2')
    text = ' '.join(map(str, values.ravel())).encode()
    path = tmp_path / ('a.ppm' if kind == 'P6' else 'a.pgm')
    body = text if kind == 'P2' else values.tobytes()
    path.write_bytes(f'{kind}\n96 64\n{most}\n'.encode() + body)
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(f'{{"{path.name}": [[14, 20, 30, 36]]}}')
    (outcome,) = anonymizer(boxes=boxes)(path, tmp_path / 'out')
    assert outcome.status == 'written', outcome.reason
    after = read(outcome.out)
    assert after.dtype == np.uint16 and after.shape == seen.shape
    assert np.abs(eight(after)[:, 40:].astype(int) - as_colour(seen)[:, 40:]).max() <= 1
    assert np.abs(eight(after)[22:34, 16:28].astype(int) - 127).max() <= 8


def test_lab_becomes_the_same_colours(tmp_path):
    rgb, lab = ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB')
    image = ImageCms.profileToProfile(Image.fromarray(SEEN), rgb, lab, outputMode='LAB')
    image.save(tmp_path / 'a.tif')
    (outcome,) = anonymizer()(tmp_path / 'a.tif', tmp_path / 'out')
    with Image.open(outcome.out) as result:
        assert result.mode == 'RGB' and 'icc_profile' not in result.info
    after = read(outcome.out)
    assert not is_red(after).any()
    assert np.abs(after[:, 50:].astype(int) - SEEN[:, 50:]).mean() < 2
