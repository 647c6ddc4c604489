import numpy as np
from PIL import Image

from mmanon.anonymizer.track_sheet import Chosen, TrackSheet
from mmanon.tracking.face_track import FaceTrack

LUMA = np.random.default_rng(0).integers(0, 255, (90, 160)).astype(np.uint8)


def sheet(*tracks):
    """Of tracks as (score, side, first frame, last frame, masked)."""
    made = TrackSheet()
    for number, (score, side, first, last, masked) in enumerate(tracks):
        track = FaceTrack(number, 0, confirmed=masked)
        for frame in (first, last):
            made.saw(
                track, frame, np.array([20.0, 20, 20 + side, 20 + side]), score, LUMA
            )
    return made


def test_each_track_is_shown_once_and_for_its_worst():
    made = sheet(
        *[(0.61 + 0.01 * n, 10, 0, 1, True) for n in range(6)],
        (0.9, 60, 0, 1, True),
        *[(0.9, 10, 0, 1, True) for _ in range(5)],
        (0.9, 10, 0, 500, True),
        (0.5, 10, 3, 4, False),
    )
    chosen = made.chosen()
    assert chosen['least sure'] == [0, 1, 2, 3, 4, 5]
    assert chosen['largest'][0] == 6
    assert chosen['longest'][0] == 12
    assert chosen['not covered'] == [13]
    shown = [number for numbers in chosen.values() for number in numbers]
    assert len(shown) == len(set(shown))


def test_the_sheet_shows_the_faces(tmp_path):
    sheet((0.7, 30, 0, 9, True)).write(tmp_path / 'sheets' / 'a.png', 25.0)
    drawn = np.asarray(Image.open(tmp_path / 'sheets' / 'a.png'))
    tile = drawn[:150, :150].astype(float)
    assert tile.std() > 20 and (drawn[160:, :150] == 255).mean() > 0.5


def test_a_video_without_tracks_has_a_sheet_that_says_so(tmp_path):
    TrackSheet().write(tmp_path / 'a.png', 0)
    assert (np.asarray(Image.open(tmp_path / 'a.png')) < 128).any()


def test_what_is_kept_of_a_frame_is_a_copy():
    picture = LUMA.copy()
    made = TrackSheet()
    made.saw(FaceTrack(0, 0), 0, np.array([20.0, 20, 40, 40]), 0.7, picture)
    picture[:] = 0
    assert made._tracks[0].picture.any()


def test_dropped_and_kept_tracks_are_marked_and_counted_nowhere_else(tmp_path):
    made = sheet(*[(0.6 + 0.01 * n, 30, 0, 9, True) for n in range(9)])
    made.decided = Chosen(frozenset({0, *range(2, 8), 99}), frozenset({1}))
    chosen = made.chosen()
    assert chosen['dropped by you'] == [0, 2, 3, 4, 5, 6, 7]
    assert chosen['kept by you'] == [1] and chosen['least sure'] == [8]
    made.write(tmp_path / 'a.png', 25.0)
    drawn = np.asarray(Image.open(tmp_path / 'a.png'))
    rows = drawn.reshape(4, -1, drawn.shape[1])  # seven dropped ones take two
    middles = rows[:, 67:87, 67:87].reshape(4, -1)
    # A white and a black line cross in the middle of what was dropped.
    black = (middles == 0).mean(1)
    assert black[:2].min() > 0.1 and not black[2:].any()
