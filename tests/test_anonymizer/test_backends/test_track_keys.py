import numpy as np

from mmanon.anonymizer.backends.track_keys import TrackKeys


def faces(count, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (count, 3, 4, 4)).astype('f4')


def test_a_track_has_one_key_and_another_seed_another():
    keys = TrackKeys(5, seed=7)

    found = keys(faces(3), [1, 2, 1])

    assert found.shape == (3, 5) and found.dtype == np.float32
    assert np.array_equal(found[0], found[2])
    assert not np.isclose(found[0], found[1]).any()
    assert np.array_equal(TrackKeys(5, seed=7)(faces(1, seed=9), [2])[0], found[1])
    assert not np.isclose(TrackKeys(5, seed=8)(faces(1), [2])[0], found[1]).any()


def test_without_a_seed_keys_are_secret():
    one, other = (TrackKeys(5)(faces(1), [1]) for _ in range(2))
    assert not np.isclose(one, other).any()


def test_a_face_of_no_track_has_a_key_of_its_own_which_a_seed_repeats():
    given = faces(2)
    first = TrackKeys(5, seed=7)(given, [-1, -1])
    assert not np.isclose(first[0], first[1]).any()
    assert np.array_equal(TrackKeys(5, seed=7)(given[1:], [-1]), first[1:])


def test_keys_are_of_a_standard_normal_distribution():
    found = TrackKeys(4, seed=0)(faces(2000), range(2000))
    assert np.abs(found.mean(0)).max() < 0.1
    assert np.abs(found.std(0) - 1).max() < 0.1
    assert np.abs(np.corrcoef(found.T) - np.eye(4)).max() < 0.1
