import numpy as np
import pytest
import torch

from mmanon.evaluation import rank_k


def at(*degrees):
    """Unit vectors at these angles: the nearer, the more alike."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def test_the_person_of_the_most_similar_face_is_named():
    gallery, names = at(0, 30, 60), ['ann', 'bob', 'eve']
    # 20 is nearest to bob's 30, then ann's 0.
    assert rank_k(at(20), gallery, ['bob'], names, [1, 2]) == {1: 1.0, 2: 1.0}
    assert rank_k(at(20), gallery, ['ann'], names, [1, 2]) == {1: 0.0, 2: 1.0}
    assert rank_k(at(20), gallery, ['eve'], names, [1, 2]) == {1: 0.0, 2: 0.0}
    both = rank_k(at(20, 20, 1), gallery, ['bob', 'ann', 'ann'], names, [1])
    assert both == {1: pytest.approx(2 / 3)}


def test_ranks_count_people_not_images():
    # Three images of bob are more alike than ann's only one.
    gallery, names = at(10, 11, 12, 20, 90), ['bob'] * 3 + ['ann', 'eve']
    assert rank_k(at(0), gallery, ['ann'], names, [1, 2]) == {1: 0.0, 2: 1.0}


def test_a_probe_is_not_known_by_its_own_image():
    # Each is nearest to itself, then to the other person.
    vectors = at(0, 50, 10, 60)
    names = ['ann', 'ann', 'bob', 'bob']
    assert rank_k(vectors, vectors, names, ranks=[1]) == {1: 0.0}
    assert rank_k(vectors, vectors, names, names, ranks=[1]) == {1: 1.0}


def test_faces_that_look_the_same_are_named_by_chance():
    names = np.repeat(np.arange(10), 4)
    # Other last bits for the last person: as of another batch size.
    alike = np.ones((40, 8))
    alike[36:] += 1e-7 * np.arange(8)
    chance = rank_k(alike, alike, names)
    assert chance == {1: pytest.approx(0.1), 5: pytest.approx(0.5)}


def test_one_of_two_equally_similar_people_counts_half():
    gallery, names = at(10, -10, 90), ['ann', 'bob', 'eve']
    assert rank_k(at(0), gallery, ['ann'], names, [1, 2]) == {1: 0.5, 2: 1.0}
    assert rank_k(at(0), gallery, ['eve'], names, [1, 2]) == {1: 0.0, 2: 0.0}


def test_many_probes_agree_with_one_at_a_time():
    random = np.random.default_rng(0)
    names = random.integers(0, 20, 700)
    vectors = random.normal(size=(700, 4)) + np.eye(20)[names] @ random.normal(
        size=(20, 4)
    )
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    hits = {1: 0, 5: 0}
    for one in range(700):
        alike = unit @ unit[one]
        alike[one] = -2
        ranked = list(dict.fromkeys(names[np.argsort(-alike)]))
        for k in hits:
            hits[k] += names[one] in ranked[:k]
    found = rank_k(vectors, torch.from_numpy(vectors), names)
    assert found == {k: pytest.approx(hit / 700, abs=2e-3) for k, hit in hits.items()}


def test_what_cannot_be_named_is_refused():
    vectors, names = at(0, 1, 2, 3), ['ann', 'ann', 'bob', 'bob']
    with pytest.raises(ValueError, match=r"1 people .* no face in .*\['eve'\]"):
        rank_k(at(0), vectors, ['eve'], names, [1])
    with pytest.raises(ValueError, match=r"no other face in .*\['bob'\]"):
        rank_k(vectors[:3], vectors[:3], names[:3], ranks=[1])
    with pytest.raises(ValueError, match='rank 2 among 2 people'):
        rank_k(vectors, vectors, names, ranks=[2])
    with pytest.raises(ValueError, match='rank 0 among 2 people'):
        rank_k(vectors, vectors, names, ranks=[0])
    with pytest.raises(ValueError, match='probes: .* one label for each of the 4'):
        rank_k(vectors, vectors, names[:3], ranks=[1])
    wrong = vectors.copy()
    wrong[2] = np.inf
    with pytest.raises(ValueError, match='gallery: 1 of 4 are not finite, .* 2$'):
        rank_k(vectors, wrong, names, ranks=[1])
