import numpy as np
import pytest

from mmanon.evaluation.functional.face_pairs import (
    check_disjoint,
    generate_pairs,
    read_lfw_pairs,
)

# As published: tabs between the words, ten folds of 300 there.
PAIRS = """\
2\t2
Abel_Pacheco\t1\t4
Akhmed_Zakayev\t1\t3
Abel_Pacheco\t2\tSlobodan_Milosevic\t11
Ann_Veneman\t1\tAkhmed_Zakayev\t2
Ann_Veneman\t3\t5
Abel_Pacheco\t2\t3
Slobodan_Milosevic\t11\tAnn_Veneman\t3
Akhmed_Zakayev\t1\tAbel_Pacheco\t4
"""
IMAGES = {
    'Abel_Pacheco': (1, 2, 3, 4),
    'Akhmed_Zakayev': (1, 2, 3),
    'Ann_Veneman': (1, 3, 5),
    'Slobodan_Milosevic': (11,),
}


@pytest.fixture
def lfw(tmp_path):
    for name, numbers in IMAGES.items():
        (tmp_path / name).mkdir()
        for number in numbers:
            (tmp_path / name / f'{name}_{number:04d}.jpg').touch()
    (tmp_path / 'pairs.txt').write_text(PAIRS)
    return tmp_path


def spoil(lfw, old, new):
    assert old in PAIRS
    (lfw / 'pairs.txt').write_text(PAIRS.replace(old, new, 1))


def test_lfws_pairs_are_read_as_they_are(lfw):
    paths, pairs = read_lfw_pairs(lfw / 'pairs.txt', lfw)

    names = [path.relative_to(lfw).as_posix() for path in paths]
    assert len(set(names)) == len(names)
    read = [
        (names[i], names[j]) for i, j in zip(pairs.first, pairs.second, strict=True)
    ]
    abel, zakayev = 'Abel_Pacheco/Abel_Pacheco', 'Akhmed_Zakayev/Akhmed_Zakayev'
    assert read[0] == (f'{abel}_0001.jpg', f'{abel}_0004.jpg')
    assert read[2][1] == 'Slobodan_Milosevic/Slobodan_Milosevic_0011.jpg'
    assert read[7] == (f'{zakayev}_0001.jpg', f'{abel}_0004.jpg')
    assert pairs.same.tolist() == [True, True, False, False] * 2
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4


def test_a_missing_image_is_named_with_its_line(lfw):
    (lfw / 'Ann_Veneman' / 'Ann_Veneman_0005.jpg').unlink()
    with pytest.raises(
        FileNotFoundError, match=r'pairs.txt, line 6: .*Ann_Veneman_0005.jpg does not'
    ):
        read_lfw_pairs(lfw / 'pairs.txt', lfw)


@pytest.mark.parametrize(
    'old, new, says',
    [
        ('2\t2', '4', "line 1: must have the number of folds .* got '4'"),
        ('2\t2', 'Abel_Pacheco\t2', 'line 1: must have'),
        ('2\t2', '2\t3', 'need 12 lines after the first, got 8'),
        ('Pacheco\t1\t4', 'Pacheco\t1', 'line 2: must be `name i j`'),
        ('Pacheco\t1\t4', 'Pacheco\t1\tx', 'line 2: images are named by numbers'),
        ('Pacheco\t1\t4', 'Pacheco\t1\t1', 'line 2: must name two images of a person'),
        ('Ann_Veneman\t1\tA', 'Ann_Veneman\tA', 'line 5: must be `name1 i name2 j`'),
        ('Ann_Veneman\t1\t', 'Akhmed_Zakayev\t1\t', 'line 5: must name two people'),
        (PAIRS, '', 'line 1: must have'),
    ],
)
def test_a_line_that_is_no_pair_is_named(lfw, old, new, says):
    spoil(lfw, old, new)
    with pytest.raises(ValueError, match=says):
        read_lfw_pairs(lfw / 'pairs.txt', lfw)


# Drawn pairs.


LABELS = np.random.default_rng(5).permutation(np.repeat([3, 7, 8, 20], [2, 5, 9, 12]))
POSSIBLE = 1 + 10 + 36 + 66


def unordered(pairs):
    return {
        frozenset(one)
        for one in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    }


def test_pairs_are_balanced_in_each_fold():
    pairs = generate_pairs(LABELS, num_same=100)
    assert pairs.same.sum() == 100 and (~pairs.same).sum() == 100
    for fold in range(10):
        assert pairs.same[pairs.fold == fold].tolist() == [True] * 10 + [False] * 10


def test_a_pair_is_of_what_it_says():
    pairs = generate_pairs(LABELS, num_same=100)
    assert (pairs.first != pairs.second).all()
    same = LABELS[pairs.first] == LABELS[pairs.second]
    assert np.array_equal(same, pairs.same)


def test_no_pair_is_in_two_folds_or_twice():
    pairs = generate_pairs(LABELS, num_same=10**6, num_different=10**6)
    total = len(LABELS) * (len(LABELS) - 1) // 2
    # All there are, each once.
    assert len(pairs.same) == len(unordered(pairs)) == total
    assert pairs.same.sum() == POSSIBLE
    sizes = np.bincount(pairs.fold)
    assert len(sizes) == 10 and sizes.max() - sizes.min() <= 2


def test_the_seed_decides_the_pairs():
    def drawn(seed):
        return unordered(generate_pairs(LABELS, num_same=40, seed=seed))

    assert drawn(0) == drawn(0)
    assert len(drawn(0) & drawn(1)) < 60


def test_all_pairs_are_drawn_alike():
    counts = np.zeros((4, 4))
    labels = np.repeat(np.arange(4), 4)
    for seed in range(300):
        pairs = generate_pairs(labels, num_same=8, num_different=32, folds=2, seed=seed)
        np.add.at(counts, (labels[pairs.first], labels[pairs.second]), 1)
    # 2 of 8 same for each person; 32 / 12 different for each ordered two.
    np.testing.assert_allclose(
        counts / 300, np.full((4, 4), 8 / 3) - np.eye(4) * 2 / 3, rtol=0.15
    )


def test_names_do_as_well_as_numbers():
    names = np.array(['a', 'b', 'b', 'a', 'b'])
    pairs = generate_pairs(names, folds=2)
    assert pairs.same.sum() == 4
    assert (names[pairs.first[pairs.same]] == names[pairs.second[pairs.same]]).all()


def test_people_without_a_pair_are_named():
    with pytest.raises(ValueError, match=r"2 of 3 people .* \['bob', 'eve'\]"):
        generate_pairs(['bob', 'ann', 'ann', 'eve'])
    with pytest.raises(ValueError, match='1 pairs of one person do not fill 10 folds'):
        generate_pairs([1, 1])
    with pytest.raises(ValueError, match='0 pairs of two people do not fill 10'):
        generate_pairs([1] * 10)


def test_people_trained_on_and_tested_are_refused():
    check_disjoint(['ann', 'bob'], ['eve'])
    with pytest.raises(
        ValueError, match=r"1 people .* both for training and for testing.*\['bob'\]"
    ):
        check_disjoint(iter(['ann', 'bob']), ('eve', 'bob'))


def test_people_of_several_sets_may_be_those_of_one():
    """Sets that are one number their people: '0/bob' may be bob."""
    with pytest.raises(ValueError, match=r"\['bob'\]"):
        check_disjoint(['0/ann', '1/bob'], ['bob'])
