import numpy as np

from mmanon.structures import Faces
from mmanon.tracking.offline_tracks import fill_gaps, link_faces


def faces(*boxes):
    k = len(boxes)
    return Faces(
        np.array(boxes, np.float32).reshape(k, 4),
        np.ones(k, np.float32),
        np.zeros((k, 5, 2), np.float32),
        np.full(k, -1, np.int32),
    )


def test_a_track_keeps_its_number_through_crossing_order_and_gaps():
    def left(t):
        return [0.1 + 0.01 * t, 0.1, 0.3 + 0.01 * t, 0.4]

    def right(t):
        return [0.6 - 0.01 * t, 0.5, 0.8 - 0.01 * t, 0.9]

    frames = [
        faces(left(0), right(0)),
        faces(right(1), left(1)),
        faces(),
        faces(left(3)),
        faces([0.5, 0.0, 0.55, 0.1], right(4), left(4)),
    ]
    linked = link_faces(frames)
    assert [f.tracks.tolist() for f in linked] == [[0, 1], [1, 0], [], [0], [2, 1, 0]]
    far = link_faces([frames[0], *[faces()] * 6, frames[0]])
    assert far[-1].tracks.tolist() == [2, 3]
    near = link_faces([frames[0], *[faces()] * 5, frames[0]])
    assert near[-1].tracks.tolist() == [0, 1]


def test_a_face_lost_for_some_frames_is_covered_by_its_neighbours_boxes():
    a, b = [0.1, 0.2, 0.4, 0.5], [0.2, 0.1, 0.5, 0.45]
    filled = fill_gaps(link_faces([faces(a), faces(), faces(), faces(b), faces()]))
    assert [len(f) for f in filled] == [1, 1, 1, 1, 0]
    for f in filled[1:3]:
        np.testing.assert_allclose(f.boxes, [[0.1, 0.1, 0.5, 0.5]])
        assert f.scores.tolist() == [0] and f.tracks.tolist() == [0]
        assert np.isnan(f.landmarks).all()
