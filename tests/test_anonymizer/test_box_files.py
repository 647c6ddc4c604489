"""Boxes of annotation tools in, and what was covered out."""

import json

import av
import numpy as np
import pytest
from made_videos import anonymizer, is_red, main, picture, read_frames, write_video
from PIL import Image

from mmanon.anonymizer.box_writer import write_boxes
from mmanon.anonymizer.covered_boxes import CoveredBoxes
from mmanon.anonymizer.given_faces import GivenFaces
from mmanon.anonymizer.io.sources import InputError
from mmanon.anonymizer.mask_planner import FaceMask, FramePlan

IMAGE = np.zeros((100, 200, 3), np.uint8)
SIZE = np.array([200, 100, 200, 100])
LENGTH = 10


def found(path, name='v.mp4', frame=0, image=IMAGE):
    """The boxes of a frame in pixels; None where nobody has looked."""
    faces = GivenFaces(path).open(name)(frame, image)
    return faces.boxes * SIZE if faces.examined else None


def write(path, text):
    path.write_text(text)
    return path


def test_csv_is_of_one_video_whatever_its_name(tmp_path):
    path = write(tmp_path / 'a.csv', 'frame,x,y,w,h\n0,20,10,40,40\n2,0,0,10,10\n')
    assert np.allclose(found(path), [[20, 10, 60, 50]])
    assert len(found(path, frame=1)) == 0 and len(found(path, frame=99)) == 0
    assert np.allclose(found(path, 'other.mp4', 2), [[0, 0, 10, 10]])


def test_csv_may_have_videos_and_other_columns_and_long_names(tmp_path):
    path = write(
        tmp_path / 'a.csv',
        'Video, Frame, X, Y, Width, Height, who\nd/v.mp4,1,20,10,40,40,me\n',
    )
    assert np.allclose(found(path, 'd/v.mp4', 1), [[20, 10, 60, 50]])
    with pytest.raises(InputError, match="no boxes of 'w.mp4': it has those of 'd/v"):
        found(path, 'w.mp4')


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('frame,x,y\n1,2,3\n', 'has no column w, h: it needs frame, x, y, w and h'),
        ('', 'has no column frame, x, y, w, h'),
        ('frame,x,y,w,h\n0,1,2,3,four\n', "line 2, column h: 'four' is no number"),
        ('frame,x,y,w,h\n0,1,2,3\n', 'line 2, column h: None is no number'),
        ('frame,x,y,w,h\n0.5,1,2,3,4\n', 'frame 0.5 is no whole number >= 0'),
        ('frame,x,y,w,h\n0,1,2,0,4\n', 'line 2: a box must be wider and higher than 0'),
    ],
)
def test_csv_that_is_wrong_is_refused_by_its_line(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        GivenFaces(write(tmp_path / 'a.csv', text))


TRACK = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><size>8</size><source>v.mp4</source></task></meta>
<track id="0" label="face">
 <box frame="1" outside="0" keyframe="1" xtl="20" ytl="10" xbr="60" ybr="50"/>
 <box frame="3" outside="0" keyframe="1" xtl="40" ytl="10" xbr="80" ybr="50"/>
 <box frame="5" outside="1" keyframe="1" xtl="40" ytl="10" xbr="80" ybr="50"/>
 <box frame="7" outside="0" keyframe="1" xtl="0" ytl="0" xbr="10" ybr="10"/>
</track></annotations>"""


def test_cvats_tracks_move_between_keyframes_and_end_outside(tmp_path):
    path = write(tmp_path / 'a.xml', TRACK)
    boxes = [found(path, frame=frame) for frame in range(8)]
    assert [len(one) for one in boxes] == [0, 1, 1, 1, 1, 0, 0, 1]
    assert np.allclose(boxes[2], [[30, 10, 70, 50]])
    assert np.allclose(boxes[4], boxes[3])
    # Beyond the task's size nobody has looked.
    assert found(path, frame=8) is None
    with pytest.raises(InputError, match=r"no boxes of 'w.mp4'"):
        found(path, 'w.mp4')


def test_a_track_without_an_end_goes_on_to_the_end_of_the_task(tmp_path):
    path = write(tmp_path / 'a.xml', TRACK.replace('<size>8', '<size>12'))
    assert len(found(path, frame=11)) == 1
    # Where nobody has said how long that is, to the end of the video.
    path = write(tmp_path / 'b.xml', TRACK.replace('<size>8</size>', ''))
    assert [len(found(path, frame=frame)) for frame in (6, 7, 500)] == [0, 1, 1]


def test_cvats_images_have_their_names_and_turned_boxes_that_around_them(tmp_path):
    path = write(
        tmp_path / 'a.xml',
        '<annotations><image id="0" name="p.png"><box label="face" xtl="80" ytl="20" '
        'xbr="120" ybr="40" rotation="90"/></image><image name="q.png"/></annotations>',
    )
    assert np.allclose(found(path, 'p.png'), [[90, 10, 110, 50]])
    assert len(found(path, 'd/q.png')) == 0


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('<annotations>', 'is no XML'),
        ('<osm/>', 'begins with <osm> and not with <annotations>'),
        (
            '<annotations><track id="7"><polygon frame="0"/></track></annotations>',
            'track 7 has <polygon>, but only boxes are accepted',
        ),
        (
            '<annotations><image name="p.png"><box xtl="1"/></image></annotations>',
            'a <box> has no ytl',
        ),
        (
            TRACK.replace('xtl="20"', 'xtl="left"'),
            "xtl of a <box>: 'left' is no number",
        ),
        (TRACK.replace('track', 'trak'), 'has <trak>, which CVAT does not write'),
        (TRACK.replace('xbr="60"', 'xbr="20"'), 'must be wider and higher than 0'),
    ],
)
def test_cvat_that_is_wrong_is_refused_in_a_sentence(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        GivenFaces(write(tmp_path / 'a.xml', text))


def place(x, y, width, height, **more):
    return dict(x=x, y=y, width=width, height=height, **more)


def studio(tmp_path, kind, value, media='video', name='/data/upload/1/ab12-v.mp4'):
    task = dict(
        data={media: name}, annotations=[dict(result=[dict(type=kind, value=value)])]
    )
    return write(tmp_path / 'a.json', json.dumps([task]))


def test_label_studio_counts_frames_from_1_and_in_percent(tmp_path):
    sequence = [
        place(10, 10, 20, 40, frame=2, enabled=True),
        place(20, 10, 20, 40, frame=4, enabled=False),
    ]
    value = dict(framesCount=6, sequence=sequence, labels=['face'])
    path = studio(tmp_path, 'videorectangle', value)
    boxes = [found(path, frame=frame) for frame in range(6)]
    assert [len(one) for one in boxes] == [0, 1, 1, 1, 0, 0]
    assert np.allclose(boxes[1], [[20, 10, 60, 50]])
    assert np.allclose(boxes[2], [[30, 10, 70, 50]])
    assert found(path, frame=6) is None


def test_label_studios_boxes_turn_about_their_corner(tmp_path):
    value = place(50, 50, 10, 10, rotation=90)
    path = studio(tmp_path, 'rectanglelabels', value, 'image', 'https://x.org/p.png')
    assert np.allclose(found(path, 'p.png'), [[90, 50, 100, 70]], atol=1e-4)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('[{"image": "p.png"}]', 'task 0 has no data and annotations: export it'),
        ('[3]', 'task 0 has no data and annotations'),
    ],
)
def test_other_lists_are_refused(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        GivenFaces(write(tmp_path / 'a.json', text))


def test_label_studios_other_regions_are_refused(tmp_path):
    path = studio(tmp_path, 'polygonlabels', dict(points=[]), 'image', 'p.png')
    with pytest.raises(ValueError, match="kind 'polygonlabels', but only boxes"):
        GivenFaces(path)
    path = studio(tmp_path, 'rectangle', place(1, 2, 3, None), 'image', 'p.png')
    with pytest.raises(ValueError, match='height: None is no number'):
        GivenFaces(path)


def mask(box, track=0, seen=True):
    return FaceMask(np.array(box, float), track, seen, 0.8 if seen else 0.0)


def test_what_was_covered_comes_back_by_each_kind_of_file(tmp_path):
    covered = CoveredBoxes()
    covered.size = (200, 100)
    masks = {
        0: [mask([20, 10, 60, 50], 4), mask([150, 60, 230, 120], -1)],
        1: [mask([22, 10, 62, 50], 4)],
        3: [mask([30, 10, 70, 50], 4, seen=False), mask([-50, 0, -20, 9], 5)],
    }
    for frame in range(5):
        covered.add(FramePlan(None, frame == 4, masks.get(frame, []), index=frame))
    paths = write_boxes(covered, 'd/v.mp4', tmp_path)
    assert [one.name for one in paths] == ['v.mp4.csv', 'v.mp4.json', 'v.mp4.xml']
    expected = {
        0: [[20, 10, 60, 50], [150, 60, 200, 100]],
        1: [[22, 10, 62, 50]],
        2: [],
        3: [[30, 10, 70, 50]],
        4: [[0, 0, 200, 100]],  # nobody had looked: it stays covered
    }
    for path in paths:
        for frame, boxes in expected.items():
            got = found(path, 'd/v.mp4', frame)
            assert sorted(got.round(1).tolist()) == sorted(boxes), (path, frame)


def test_the_command_writes_boxes_that_cover_the_same_again(tmp_path):
    source = write_video(tmp_path / 'v.mp4', [picture(t) for t in range(LENGTH)])
    given = tmp_path / 'given.csv'
    rows = [f'{t},{8 + 2 * t},20,16,16' for t in range(LENGTH)]
    given.write_text('\n'.join(['frame,x,y,w,h', *rows]))
    argv = [str(source), '-o', str(tmp_path / 'out'), '--boxes']
    assert main([*argv, str(given), '--boxes-out', str(tmp_path / 'boxes')]) == 0
    written = sorted(one.name for one in (tmp_path / 'boxes').iterdir())
    assert written == ['v.mp4.csv', 'v.mp4.json', 'v.mp4.xml']
    for name in written:
        again = [*argv, str(tmp_path / 'boxes' / name), '--overwrite']
        assert main(again) == 0
        frames = read_frames(tmp_path / 'out' / 'v.mp4')
        assert len(frames) == LENGTH and not any(is_red(one).any() for one in frames)


def test_images_have_their_boxes_written_as_well(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / 'p.png')
    (result,) = anonymizer()(
        tmp_path / 'p.png', tmp_path / 'out', boxes_out=tmp_path / 'boxes'
    )
    assert result.status == 'written', result.reason
    boxes = json.loads((tmp_path / 'boxes' / 'p.png.json').read_text())
    assert boxes == {'p.png': {'0': [[8.0, 20.0, 24.0, 36.0]]}}


def test_boxes_of_frames_that_a_video_does_not_have_are_told_of(tmp_path):
    source = write_video(tmp_path / 'v.mp4', [picture(t) for t in range(3)])
    boxes = write(tmp_path / 'a.csv', 'frame,x,y,w,h\n0,8,20,16,16\n7,8,20,16,16\n')
    (result,) = anonymizer(boxes=boxes)(source, tmp_path / 'out')
    assert any('it has no frame 7' in one for one in result.problems)
    with av.open(str(result.out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3
