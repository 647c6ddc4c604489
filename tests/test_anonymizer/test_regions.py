"""Parts of the picture that are always covered, and parts whose faces are left."""

import json
import math

import av
import numpy as np
import pytest
from made_videos import anonymizer, is_red, main, picture, read_frames, write_video
from PIL import Image

from mmanon.anonymizer.mask_planner import FaceMask, FramePlan
from mmanon.anonymizer.regions import (
    Region,
    Regions,
    fill_polygons,
    parse_region,
    read_regions,
)

LENGTH = 10
# The red square of `picture` lies in rows 20 to 35 and begins at column 8 + 2 t.
ALL = '0,0 96,0 96,64 0,64'
CORNER = '60,40 96,40 96,64 60,64'


@pytest.fixture
def source(tmp_path):
    return write_video(tmp_path / 'a.mp4', [picture(t) for t in range(LENGTH)])


def outcome(source, out, *regions, **options):
    (result,) = anonymizer(regions=regions, **options)(source, out)
    assert result.status == 'written', result.reason
    return result


def is_grey(pixels):
    return (np.abs(pixels.astype(int) - 127) < 12).all()


def test_a_region_is_covered_in_every_frame_and_nothing_around_it(source, tmp_path):
    options = dict(codec='ffv1', container='mkv')
    plain = outcome(source, tmp_path / 'plain', **options)
    result = outcome(source, tmp_path / 'out', f'cover:{CORNER}', **options)
    for frame, other in zip(
        read_frames(result.out), read_frames(plain.out), strict=True
    ):
        assert is_grey(frame[42:62, 62:94])
        assert not is_red(frame).any()  # faces are covered all the same
        assert np.abs(frame[:36].astype(int) - other[:36]).max() == 0
        assert np.abs(frame[:, :56].astype(int) - other[:, :56]).max() == 0


def test_a_region_may_be_no_rectangle(tmp_path):
    image = np.zeros((40, 40, 3), np.uint8)
    fill_polygons(image, [np.array([[4.0, 4], [36, 4], [4, 36]])])
    covered = image[..., 0] == 127
    rows, columns = np.mgrid[:40, :40] + 0.5
    inside = (columns > 4) & (rows > 4) & (columns + rows < 40)
    assert covered[inside].all()
    assert not covered[(columns + rows > 43) | (columns < 2) | (rows < 2)].any()
    deep = np.zeros((8, 8, 3), np.uint16)
    fill_polygons(deep, [np.array([[-9.0, -9], [99, -9], [99, 99], [-9, 99]])])
    assert (deep == 32767).all()


def test_faces_in_a_region_that_is_left_are_seen_and_counted(source, tmp_path):
    left = outcome(source, tmp_path / 'left', f'leave:{ALL}')
    assert all(is_red(frame).any() for frame in read_frames(left.out))
    assert (left.faces, left.spared, left.nothing_masked) == (0, LENGTH, False)
    elsewhere = outcome(source, tmp_path / 'other', f'leave:{CORNER}')
    assert not any(is_red(frame).any() for frame in read_frames(elsewhere.out))


def test_a_region_that_is_covered_wins_over_one_that_is_left(source, tmp_path):
    result = outcome(source, tmp_path / 'out', f'leave:{ALL}', f'cover:{ALL}')
    assert all(is_grey(frame) for frame in read_frames(result.out))


def test_a_region_lasts_for_its_seconds(source, tmp_path):
    result = outcome(source, tmp_path / 'out', f'cover:{CORNER}@0.08-0.2')
    shown = [is_grey(frame[44:60, 64:92]) for frame in read_frames(result.out)]
    assert shown == [2 <= t < 5 for t in range(LENGTH)]


def test_a_frame_that_nobody_has_examined_stays_masked_whole():
    plan = FramePlan(None, True, [])
    assert Regions([f'leave:{ALL}']).apply(plan, 'a.mp4') is plan


def test_images_have_regions_as_well(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / 'p.png')
    result = outcome(tmp_path / 'p.png', tmp_path / 'out', f'cover:{CORNER}')
    pixels = np.asarray(Image.open(result.out))
    assert (pixels[41:63, 61:95] == 127).all() and not is_red(pixels).any()
    result = outcome(tmp_path / 'p.png', tmp_path / 'left', f'leave:{ALL}')
    assert is_red(np.asarray(Image.open(result.out))).any()


def test_a_video_on_its_side_has_regions_of_the_upright_picture(tmp_path):
    from mmanon.anonymizer.compositor import FaceCompositor
    from mmanon.anonymizer.frame_compositor import composite_frame
    from mmanon.structures.crop_geometry import CropGeometry
    from mmanon.utils.orientation import Orientation

    turn = Orientation(transposed=True, mirrored=True, upended=False)
    upright = np.full((96, 64, 3), 200, np.uint8)
    stored = np.ascontiguousarray(turn.stored(upright))
    frame = av.VideoFrame.from_ndarray(stored, 'rgb24').reformat(format='yuv444p')
    polygon = np.array([[4.0, 50], [40, 50], [40, 90], [4, 90]])
    compositor = FaceCompositor(None, CropGeometry(), 'ellipse')
    drawn = composite_frame(
        FramePlan(frame, False, [], polygons=[polygon]), turn, compositor, 'yuv444p'
    )
    pixels = turn.upright(drawn.to_ndarray(format='rgb24'))
    assert is_grey(pixels[52:88, 6:38])
    assert (pixels[:48] > 190).all() and (pixels[:, 44:] > 190).all()


def test_which_points_lie_in_a_polygon():
    corner = Region(False, np.array([[0.0, 0], [10, 0], [10, 10], [5, 3], [0, 10]]))
    points = np.array([[1.0, 1], [9, 8], [5, 8], [5, 2], [-1, 1], [11, 1]])
    assert corner.holds(points).tolist() == [True, True, False, True, False, False]
    masks = [
        FaceMask(np.array([x - 1, 1, x + 1, 3.0]), k, True, 0.9)
        for k, x in ((0, 5), (1, 50))
    ]
    plan = Regions([corner]).apply(FramePlan(None, False, masks), 'a.mp4')
    assert [mask.track for mask in plan.masks] == [1] and plan.spared == 1


def test_regions_come_from_a_file_for_single_videos(source, tmp_path):
    path = tmp_path / 'regions.json'
    points = [[60, 40], [96, 40], [96, 64], [60, 64]]
    path.write_text(
        json.dumps([{'cover': points, 'video': 'b.mp4'}, {'leave': points, 'start': 2}])
    )
    cover, leave = read_regions(path)
    assert cover.is_shown('b.mp4', 0) and not cover.is_shown('a.mp4', 0)
    assert not leave.is_shown('a.mp4', 1.9) and leave.is_shown('a.mp4', 1e6)
    assert (cover.end, leave.covers) == (math.inf, False)
    out = tmp_path / 'out'
    argv = [str(source), '-o', str(out), '--region', str(path)]
    assert main([*argv, '--region', f'cover:{CORNER}']) == 0
    assert is_grey(read_frames(out / 'a.mp4')[0][44:60, 64:92])


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('0,0 9,0 9,9', "must be 'cover:100,50"),
        ('hide:0,0 9,0 9,9', "must be 'cover:100,50"),
        ('cover:0,0 9,0', 'needs at least three corners'),
        ('cover:0,0 9,0,1 9,9', 'must be'),
        ('cover:0,0 9,x 9,9', 'must be'),
        ('cover:0,0 9,0 9,nan', 'finite'),
        ('cover:0,0 9,9 9,0 0,9', r'crosses itself: its sides from \(0.0, 0.0\) and'),
        ('cover:0,0 9,0 9,9@3-2', 'must end after it begins, got 3 to 2'),
        ('cover:0,0 9,0 9,9@a-2', 'must be'),
    ],
)
def test_regions_that_are_none_are_refused_in_a_sentence(text, said):
    with pytest.raises(ValueError, match=said):
        parse_region(text)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ('{', 'is no JSON'),
        ('{}', 'must be a list'),
        ('[{}]', 'region 0 must have either cover or leave'),
        ('[3]', 'region 0 must have either cover or leave'),
        (
            '[{"cover": [[0, 0]], "leave": []}]',
            'region 0 must have either cover or leave',
        ),
        ('[{"cover": [[0,0],[9,0],[9,9]], "form": 1}]', "unknown key 'form'"),
        ('[{"cover": [[0,0],[9,0],["a",9]]}]', 'region 0: could not convert'),
        ('[{"cover": 5}]', 'region 0: a region needs at least three corners'),
    ],
)
def test_files_of_regions_that_are_wrong_are_refused(tmp_path, content, said):
    path = tmp_path / 'regions.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=said):
        Regions([path])
    with pytest.raises(FileNotFoundError, match='regions none.json do not exist'):
        Regions(['none.json'])
