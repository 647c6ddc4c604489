import io

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from mmanon.utils.orientation import Orientation
from mmanon.utils.video import orientation_of, turn_of

PICTURE = np.arange(6, dtype=np.uint8).reshape(2, 3)


@pytest.mark.parametrize('value', range(1, 9))
def test_upright_is_what_pillow_makes_of_the_exif_number(value):
    stored = Image.fromarray(PICTURE)
    stored.getexif()[0x0112] = value
    upright = Orientation.of_exif(value).upright(PICTURE)
    np.testing.assert_array_equal(upright, np.asarray(ImageOps.exif_transpose(stored)))


@pytest.mark.parametrize('value', range(1, 9))
def test_what_was_turned_upright_is_turned_back(value):
    turn = Orientation.of_exif(value)
    np.testing.assert_array_equal(turn.stored(turn.upright(PICTURE)), PICTURE)


def test_an_unknown_number_is_upright():
    assert Orientation.of_exif(0) == Orientation.of_exif(99) == Orientation()


def test_a_display_matrix_may_be_a_little_off():
    # FFmpeg's matrix of a quarter turn, in 16.16 and 2.30 fixed point.
    quarter = [0, 65536, 0, -65536, 3, 0, 0, 0, 1 << 30]
    assert Orientation.of_matrix(quarter) == Orientation(True, mirrored=True)
    assert Orientation.of_matrix([65536, 0, 0, 0, 65536, 0, 0, 0, 1]) == Orientation()


def test_how_a_video_is_stored_is_told_in_three_words():
    told = {value: turn_of(Orientation.of_exif(value)) for value in range(1, 9)}
    # EXIF: 6 and 8 are quarter turns; 5 and 7 are mirrored as well.
    assert told == {
        **dict.fromkeys((2, 3, 4, 5, 7), 'other'),
        **dict.fromkeys((6, 8), 'quarter'),
        1: 'no',
    }


@pytest.mark.parametrize('turn', [3, 6, 8])
def test_a_frame_beside_which_lies_data_unknown_to_pyav_tells_its_turn(turn):
    """As of a camera whose frames are JPEGs with EXIF."""
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:8, :8] = 250
    exif, packed = Image.Exif(), io.BytesIO()
    exif[0x0112] = turn
    stored = Orientation.of_exif(turn).stored(upright)
    Image.fromarray(stored).save(packed, 'JPEG', exif=exif, quality=95)
    packed.seek(0)
    with av.open(packed) as container:
        frame = next(container.decode(video=0))
    with pytest.raises(ValueError):
        dict(frame.side_data)
    seen = orientation_of(frame).upright(frame.to_ndarray(format='rgb24'))
    assert np.abs(seen.astype(int) - upright).mean() < 4
