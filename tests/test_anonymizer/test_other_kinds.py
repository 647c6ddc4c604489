"""What is no face is covered by a detector and tracks of its own."""

import csv
import json

import numpy as np
import pytest
from blue_plates import is_blue, picture_with_plate, write_detector
from made_videos import (
    RedSquareDetector,
    anonymizer,
    is_red,
    main,
    read_frames,
    write_video,
)

from mmanon.anonymizer.live import LiveAnonymizer


@pytest.fixture(scope='module')
def plates(tmp_path_factory):
    """The ONNX file of a detector of plates."""
    return write_detector(tmp_path_factory.mktemp('plates') / 'plates.onnx')


@pytest.fixture
def clip(tmp_path):
    images = [picture_with_plate(t) for t in range(12)]
    return write_video(tmp_path / 'clip.mp4', images, options={'crf': '10'})


def test_faces_and_plates_are_covered_by_tracks_of_their_own(clip, plates, tmp_path):
    anonymize = anonymizer(covered_kinds=f'faces,plates={plates}')
    (result,) = anonymize(
        clip, tmp_path / 'out', report=tmp_path / 'r', boxes_out=tmp_path / 'b'
    )
    for frame in read_frames(result.out):
        assert not is_red(frame).any() and not is_blue(frame).any()
    assert (result.faces, result.others) == (12, {'plates': 12})
    report = json.loads((tmp_path / 'r' / 'clip.mp4.json').read_text())
    assert report['faces_per_frame'] == [1] * 12
    assert report['other_kinds'] == {'plates': 12}
    tracks = [(one['kind'], one['first'], one['last']) for one in report['tracks']]
    assert tracks == [('faces', 0, 11), ('plates', 0, 11)]
    assert 'label="plates"' in (tmp_path / 'b' / 'clip.mp4.plates.xml').read_text()
    lines = csv.DictReader((tmp_path / 'b' / 'clip.mp4.plates.csv').open())
    boxes = {int(one['frame']): float(one['y']) for one in lines}
    assert len(boxes) == 12 and all(44 <= y <= 48 for y in boxes.values())


def test_boxes_that_were_written_cover_the_kind_again(clip, plates, tmp_path):
    first = anonymizer(covered_kinds=f'plates={plates}')
    first(clip, tmp_path / 'out', boxes_out=tmp_path / 'b')
    for ending in ('csv', 'xml', 'json'):
        boxes = tmp_path / 'b' / f'clip.mp4.plates.{ending}'
        again = anonymizer(covered_kinds={'plates': boxes})
        (result,) = again(clip, tmp_path / ending)
        assert not any(is_blue(frame).any() for frame in read_frames(result.out))


def test_plates_alone_leave_faces(clip, plates, tmp_path):
    out = tmp_path / 'out'
    told = ['--covered-kinds', f'plates={plates}', str(clip), '-o', str(out)]
    assert main(told) == 0
    for frame in read_frames(out / 'clip.mp4'):
        assert is_red(frame).any() and not is_blue(frame).any()


@pytest.mark.parametrize('modifier', ['pixelate', None])
def test_no_modifier_draws_on_a_plate(clip, plates, tmp_path, modifier):
    anonymize = anonymizer(modifier=modifier, covered_kinds=f'faces,plates={plates}')
    (result,) = anonymize(clip, tmp_path / 'out')
    for t, frame in enumerate(read_frames(result.out)):
        inside = frame[49:57, 62 - 2 * t : 82 - 2 * t].astype(int)
        assert np.abs(inside - 127).max() < 12


def test_a_plate_is_covered_where_its_detector_loses_it(clip, tmp_path):
    class Plates(RedSquareDetector):
        """Finds the blue one, by the same means."""

        def _detect(self, image):
            return super()._detect(image[..., ::-1])

    anonymize = anonymizer(covered_kinds={'faces': None, 'plates': Plates([4, 5, 6])})
    (result,) = anonymize(clip, tmp_path / 'out')
    assert result.others == {'plates': 12}
    assert not any(is_blue(frame).any() for frame in read_frames(result.out))
    broken = anonymizer(covered_kinds={'faces': None, 'plates': Plates(raising=[3])})
    (result,) = broken(clip, tmp_path / 'broken')
    assert result.whole == 1
    assert np.abs(read_frames(result.out)[3].astype(int) - 127).max() < 8


def test_plates_of_pictures_and_cameras_are_covered(plates):
    kinds = dict(covered_kinds=f'faces,plates={plates}')
    (result,) = anonymizer(**kinds)(picture_with_plate(3))
    assert not is_red(result.image).any() and not is_blue(result.image).any()
    live = LiveAnonymizer(anonymizer(**kinds), 2)
    shown = [live.put(picture_with_plate(t)) for t in range(6)][2:]
    for one in shown:
        assert not is_red(one.image).any() and not is_blue(one.image).any()
        assert sorted(mask.kind for mask in one.masks) == ['faces', 'plates']


def test_a_plate_in_a_region_is_left(clip, plates, tmp_path):
    anonymize = anonymizer(
        covered_kinds=f'faces,plates={plates}',
        regions=['leave:0,40 96,40 96,64 0,64'],
    )
    (result,) = anonymize(clip, tmp_path / 'out')
    for frame in read_frames(result.out):
        assert is_blue(frame).any() and not is_red(frame).any()


@pytest.mark.parametrize('kinds', [{}, {'faces': RedSquareDetector()}])
def test_kinds_that_name_nothing_or_a_detector_of_faces_are_refused(kinds):
    with pytest.raises(
        ValueError, match='covered_kinds must contain at least one kind'
    ):
        anonymizer(covered_kinds=kinds)


def test_boxes_of_faces_do_not_go_with_other_kinds_alone(plates):
    with pytest.raises(ValueError, match='boxes are for faces'):
        anonymizer(boxes='a.json', covered_kinds=f'plates={plates}')
