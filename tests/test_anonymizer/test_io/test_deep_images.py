import numpy as np
import pytest
from PIL import Image

from mmanon.anonymizer.io.deep_images import encode_deep, read_deep
from mmanon.anonymizer.io.image_files import open_image
from mmanon.anonymizer.io.sources import InputError


def deep(channels):
    shape = (31, 45) if channels == 1 else (31, 45, channels)
    return np.random.default_rng(0).integers(0, 65536, shape).astype(np.uint16)


@pytest.mark.parametrize('extension', ['.png', '.tif'])
@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_every_bit_comes_back(tmp_path, extension, channels):
    path = tmp_path / f'50%02d{extension}'
    path.write_bytes(encode_deep(deep(channels), extension))
    assert np.array_equal(read_deep(path), deep(channels))
    if (channels, extension) != (2, '.tif'):  # which Pillow does not know
        assert Image.open(path).size == (45, 31)


@pytest.mark.parametrize('extension', ['.png', '.tif'])
@pytest.mark.parametrize('channels', [1, 3, 4])
def test_opencv_reads_and_writes_the_same(tmp_path, extension, channels):
    cv2 = pytest.importorskip('cv2', reason='OpenCV is what it is compared with')
    pixels, path = deep(channels), tmp_path / f'a{extension}'
    theirs = pixels if channels == 1 else pixels[..., [2, 1, 0, 3][:channels]]
    path.write_bytes(encode_deep(pixels, extension))
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), theirs)
    assert cv2.imwrite(str(path), theirs)
    assert np.array_equal(read_deep(path), pixels)


def test_what_has_8_bits_or_is_no_image_is_left_to_others(tmp_path):
    Image.new('RGB', (9, 8), (1, 2, 3)).save(tmp_path / 'a.png')
    Image.new('RGB', (9, 8), (1, 2, 3)).save(tmp_path / 'a.tif')
    Image.new('RGB', (9, 8), (1, 2, 3)).save(tmp_path / 'a.jpg')
    (tmp_path / 'b.png').write_text('no picture')
    for name in ('a.png', 'a.tif', 'a.jpg', 'b.png'):
        assert read_deep(tmp_path / name) is None


@pytest.mark.parametrize('extension', ['.png', '.tif'])
def test_a_damaged_picture_does_not_pass_for_a_whole_one(tmp_path, extension):
    whole = encode_deep(deep(3), extension)
    path = tmp_path / f'a{extension}'
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 255
    for content in (*(whole[: len(whole) * part // 20] for part in (6, 19)), spoilt):
        path.write_bytes(content)
        with pytest.raises(InputError, match='cannot be|is not an image|is damaged'):
            list(open_image(path).pixels())
