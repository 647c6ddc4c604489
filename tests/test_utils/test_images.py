import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from mmanon.utils.images import read_image


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.webp', '.tif', '.ppm'])
def test_an_image_is_read_as_opencv_reads_it(tmp_path, suffix):
    path = tmp_path / f'ä{suffix}'
    Image.fromarray(astronaut()).save(path)
    packed = np.fromfile(path, np.uint8)
    theirs = cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    image = read_image(path)
    assert image.dtype == np.uint8 and image.shape == (512, 512, 3)
    # Decoders of JPEG and WebP may round in different ways.
    assert np.abs(image.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA', 'CMYK'])
def test_whatever_the_colours_are_stored_as_they_come_as_rgb(tmp_path, mode):
    path = tmp_path / ('a.jpg' if mode == 'CMYK' else 'a.png')
    Image.fromarray(astronaut()).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (512, 512, 3)
    expected = Image.fromarray(astronaut()).convert(mode).convert('RGB')
    assert np.abs(image.astype(int) - np.asarray(expected)).mean() < 4


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.pgm'])
def test_of_16_bits_the_upper_8_are_taken(tmp_path, suffix):
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    cv2.imwrite(str(tmp_path / f'deep{suffix}'), deep)
    image = read_image(tmp_path / f'deep{suffix}')
    assert np.array_equal(image, np.repeat((deep >> 8)[..., None], 3, 2))


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.fromarray(astronaut()[:300]).save(tmp_path / 'a.png', exif=exif)
    upright = np.rot90(astronaut()[:300], -1)
    assert np.array_equal(read_image(tmp_path / 'a.png'), upright)


def test_of_what_is_no_image_nothing_is_read(tmp_path):
    for name, content in (
        ('empty.png', b''),
        ('text.jpg', b'no image'),
        ('half.png', (tmp_path / 'whole.png')),
    ):
        if not isinstance(content, bytes):
            Image.fromarray(astronaut()).save(content)
            content = content.read_bytes()[:20000]
        (tmp_path / name).write_bytes(content)
        assert read_image(tmp_path / name) is None
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / 'gone.png')
