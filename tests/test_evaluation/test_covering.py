import csv

import av
import numpy as np
import pytest

from mmanon.evaluation.functional.covering import (
    Label,
    Score,
    covered_pixels,
    measure,
    read_labels,
)

SIZE = (96, 72)
FACE = (20, 16, 52, 56)


def write(path, covers, frames=4):
    """Frames of noise with green rectangles; those of a frame by its number."""
    noise = np.random.default_rng(0).integers(60, 190, (9, 12, 3)).astype(np.uint8)
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=25, options={'crf': '10'})
        stream.width, stream.height, stream.pix_fmt = *SIZE, 'yuv444p'
        for number in range(frames):
            picture = noise.repeat(8, 0).repeat(8, 1).copy()
            for x1, y1, x2, y2 in covers(number):
                picture[y1:y2, x1:x2] = (0, 255, 0)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, 'rgb24')))
        file.mux(stream.encode())
    return path


def label(kind, box, frame=0, person='1'):
    return Label(frame, person, kind, np.array(box, float))


@pytest.fixture
def clip(tmp_path):
    return write(tmp_path / 'clip.mp4', lambda _: [])


def score(clip, tmp_path, covers, labels):
    out = write(tmp_path / 'out.mp4', covers)
    return measure(clip, out, {0: labels, 2: labels})


def test_a_cover_that_fits_leaves_nothing_open_and_has_no_excess(clip, tmp_path):
    found = score(clip, tmp_path, lambda _: [FACE], [label('face', FACE)])
    assert found.faces.tolist() == [0, 0, 2, 0] and not found.open.any()
    assert found.excess / found.face_area < 0.05 and found.open_in_a_row == 0
    assert found.change / found.pairs < 0.02


def test_an_uncovered_face_is_open_and_half_a_cover_leaves_it_partly_so(clip, tmp_path):
    faces = [label('face', FACE)]
    found = score(clip, tmp_path, lambda _: [], faces)
    assert found.open.tolist() == [0, 0, 2, 0] and found.open_in_a_row == 2
    half = (20, 16, 52, 42)
    found = score(clip, tmp_path, lambda _: [half], faces)
    assert not found.open.any() and found.partly.tolist() == [0, 0, 2, 0]
    found = score(clip, tmp_path, lambda frame: [FACE] if frame == 0 else [], faces)
    assert found.open.sum() == 1 and found.open_in_a_row == 1


def test_what_is_covered_beside_faces_is_excess_and_unclear_places_are_not(
    clip, tmp_path
):
    beside = (60, 40, 80, 60)
    found = score(clip, tmp_path, lambda _: [FACE, beside], [label('face', FACE)])
    assert found.excess / found.face_area == pytest.approx(400 / 1280, abs=0.08)
    assert found.false_covers == 1  # the same one in both frames
    for kind, excess in (('unclear', 0), ('head', 400 / 1280)):
        labels = [label('face', FACE), label(kind, beside, person='2')]
        found = score(clip, tmp_path, lambda _: [FACE, beside], labels)
        assert found.excess / found.face_area == pytest.approx(excess, abs=0.08)
        assert found.false_covers == 0
    assert found.on_heads / found.face_area == pytest.approx(400 / 1280, abs=0.08)


def test_a_cover_that_comes_and_goes_changes(clip, tmp_path):
    found = score(
        clip, tmp_path, lambda frame: [FACE] if frame % 2 else [], [label('face', FACE)]
    )
    assert found.change / found.pairs > 0.9


def test_an_output_that_ends_early_is_refused(clip, tmp_path):
    out = write(tmp_path / 'out.mp4', lambda _: [], frames=2)
    with pytest.raises(ValueError, match='ends after 2 frames'):
        measure(clip, out, {2: []})


def test_scores_add_up():
    one = Score(open_in_a_row=2, seconds=1.0, faces=np.array([1, 0, 0, 0]))
    two = Score(open_in_a_row=1, seconds=2.0, faces=np.array([0, 0, 3, 0]))
    both = one + two
    assert both.open_in_a_row == 2 and both.seconds == 3
    assert both.faces.tolist() == [1, 0, 3, 0]
    assert both.as_dict()['excess'] is None


def test_noise_is_no_cover_and_a_hole_in_one_is_covered():
    before = np.full((40, 40, 3), 100, np.uint8)
    after = before.copy()
    after[::7, ::7] = 200
    assert not covered_pixels(before, after).any()
    after = before.copy()
    after[10:30, 10:30] = 0
    after[18:22, 18:22] = 100
    assert covered_pixels(before, after).sum() == 400


def test_labels_are_read_and_wrong_ones_named(tmp_path):
    path = tmp_path / 'labels.csv'
    head = ['clip', 'frame', 'person', 'kind', 'x1', 'y1', 'x2', 'y2']

    def write_rows(*rows):
        with path.open('w', newline='') as file:
            csv.writer(file).writerows([head, *rows])

    write_rows(
        ['a.mp4', 0, 1, 'face', 1, 2, 30, 40],
        ['a.mp4', 10, '', 'none', '', '', '', ''],
    )
    labels = read_labels(path)
    assert labels['a.mp4'][0][0].side == 38 and labels['a.mp4'][10] == []
    write_rows(['a.mp4', 0, 1, 'nose', 1, 2, 30, 40])
    with pytest.raises(ValueError, match="line 2: kind is 'nose'"):
        read_labels(path)


def test_heads_without_a_face_are_counted_and_those_that_are_covered(clip, tmp_path):
    head = (60, 10, 84, 40)
    labels = [label('face', FACE), label('head', (16, 10, 56, 60)), label('head', head)]
    found = score(clip, tmp_path, lambda frame: [FACE, head][: frame or 1], labels)
    assert (found.heads, found.heads_covered) == (2, 1)
