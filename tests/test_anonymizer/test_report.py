import json

import numpy as np

from mmanon.anonymizer.mask_planner import FaceMask, FramePlan
from mmanon.anonymizer.report import FileReport, frame_ranges

BOX = np.array([0.0, 0, 10, 10])


def report(*frames):
    made = FileReport()
    for covers in frames:
        made.add(FramePlan(None, covers is None, covers or []))
    return made.as_dict()


def seen(track=0, score=0.9):
    return FaceMask(BOX, track, True, score)


def filled(track=0):
    return FaceMask(BOX, track, False, 0.0)


def test_faces_are_counted_frame_by_frame():
    found = report([seen()], [seen(), seen(-1)], [])
    assert found['faces_per_frame'] == [1, 2, 0]
    assert (found['frames'], found['faces'], found['faces_without_track']) == (3, 3, 1)


def test_of_each_track_it_is_told_where_its_place_was_filled_in():
    frames = [[seen()], [filled()], [filled(), seen(4, 0.7)], [seen(score=0.35)]]
    found = report(*frames)
    first, second = found['tracks']
    assert (first['first'], first['last'], first['seen']) == (0, 3, 2)
    assert first['filled'] == found['frames_filled'] == [[1, 2]]
    assert first['lowest_confidence'] == 0.35
    assert second['track'] == 4 and second['filled'] == []


def test_the_least_sure_faces_come_first_and_those_not_seen_are_none_of_them():
    lowest = report(*[[seen(score=0.9 - t / 100), filled(1)] for t in range(30)])[
        'lowest_confidences'
    ]
    assert len(lowest) == 20
    assert lowest[0] == {'frame': 29, 'confidence': 0.61}


def test_frames_that_were_covered_whole_are_named():
    assert report([], None, None)['frames_covered_whole'] == [[1, 2]]


def test_the_file_says_what_else_it_is_told(tmp_path):
    path = tmp_path / 'deep' / 'a.json'
    FileReport().write(path, source='a.mp4')
    assert json.loads(path.read_text())['source'] == 'a.mp4'


def test_frames_in_a_row_are_one_range():
    assert frame_ranges([5, 3, 4, 4, 9]) == [[3, 5], [9, 9]]
    assert frame_ranges([]) == []
