import numpy as np
import pytest
import torch

from mmanon.evaluation import (
    area_under_roc,
    equal_error_rate,
    pair_scores,
    tar_at_far,
    ten_fold_accuracy,
)

RATES = [equal_error_rate, area_under_roc]


def made_up_pairs(seed, count=3000, ties=False):
    """Scores of two overlapping kinds."""
    random = np.random.default_rng(seed)
    same = random.random(count) < 0.4
    scores = random.normal(same * 1.5, 1.0)
    return (scores.round(1) if ties else scores), same


# By hand.


def test_kinds_that_do_not_overlap_are_told_without_error():
    scores, same = [0.9, 0.8, 0.3, 0.2], [True, True, False, False]
    assert equal_error_rate(scores, same) == 0
    assert area_under_roc(scores, same) == 1


def test_kinds_the_wrong_way_round_are_always_mistaken():
    scores, same = [0.2, 0.3, 0.8, 0.9], [True, True, False, False]
    assert equal_error_rate(scores, same) == 1
    assert area_under_roc(scores, same) == 0


def test_one_of_four_mistaken_on_each_side():
    scores = [0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.1, 0.0]
    same = [True] * 4 + [False] * 4
    # At 0.6: 0.2 of one person is refused, 0.6 of two people is accepted.
    assert equal_error_rate(scores, same) == pytest.approx(0.25)
    # 0.2 is above two of the four, the others above all.
    assert area_under_roc(scores, same) == pytest.approx(14 / 16)


def test_between_thresholds_the_error_is_interpolated():
    # From (FAR 0, FRR 1/2) to (1, 1/2) to (1, 0): equal at FAR 1/2.
    assert equal_error_rate([3, 2, 1], [True, False, True]) == pytest.approx(0.5)
    # One threshold accepts a third of each kind, the next all.
    scores, same = [2, 1, 1, 2, 1, 1], [True] * 3 + [False] * 3
    assert equal_error_rate(scores, same) == pytest.approx(0.5)


@pytest.mark.parametrize('measure', RATES)
def test_scores_that_are_all_equal_are_chance(measure):
    assert measure(np.zeros(7), np.arange(7) < 2) == 0.5


def test_tar_counts_what_is_accepted_while_few_others_are():
    different = np.arange(100) / 100  # the highest is 0.99
    same = [0.985, 0.995, 0.5, 2.0]
    scores = np.concatenate([different, same])
    kind = np.arange(104) >= 100
    assert (
        tar_at_far(scores, kind, 0.01) == 0.5 + 0.25
    )  # above 0.98: 0.99 of the others
    assert tar_at_far(scores, kind, 0.5) == 1.0
    assert tar_at_far(scores, kind, 0.49) == 0.75


def test_tar_is_not_interpolated():
    # The only threshold that accepts a pair of one person accepts half of the others.
    scores = np.array([1.0] * 60 + [0.0] * 50)
    same = np.arange(110) < 10
    assert tar_at_far(scores, same, 0.4) == 0
    assert tar_at_far(scores, same, 0.5) == 1


def test_ten_fold_accuracy_takes_the_threshold_of_the_other_folds():
    # Two folds: told apart around 0.5 in one, around 2.5 in the other.
    scores = [1.0, 0.0, 3.0, 2.0]
    same = [True, False, True, False]
    # At 2.5 the first fold accepts nothing, at 0.5 the second everything.
    assert ten_fold_accuracy(scores, same, [0, 0, 1, 1]) == 0.5
    # One threshold for both is right in every fold.
    scores = [3.0, 0.0, 4.0, 1.0]
    assert ten_fold_accuracy(scores, same, [0, 0, 1, 1]) == 1.0


def test_the_threshold_lies_midway_between_the_kinds():
    # The other fold's kinds end at 0 and at 1, so the threshold is 0.5.
    scores = [1.0, 0.0, 0.51, 0.49]
    assert ten_fold_accuracy(scores, [True, False] * 2, [0, 0, 1, 1]) == 1.0
    scores = [1.0, 0.0, 0.49, 0.48]
    assert ten_fold_accuracy(scores, [True, False] * 2, [0, 0, 1, 1]) == 0.75


def test_of_equally_good_thresholds_the_middle_one_is_taken():
    # In the first fold 4.5, 2.5 and 0.5 are right in four of six.
    scores = [5, 3, 1, 4, 2, 0, 2.6, 2.4]
    same = [True] * 3 + [False] * 3 + [True, False]
    accuracy = ten_fold_accuracy(scores, same, [0] * 6 + [1] * 2)
    assert accuracy == pytest.approx((4 / 6 + 1) / 2)


def test_accuracy_weighs_both_kinds_the_same():
    same = np.array(([True] + [False] * 99) * 2)
    # To refuse all pairs is right for 99 % of them.
    assert ten_fold_accuracy(np.zeros(200), same, np.repeat([0, 1], 100)) == 0.5


def test_ten_folds_of_noise_are_chance_and_of_a_recognizer_its_accuracy():
    random = np.random.default_rng(0)
    same, fold = np.tile([True, False], 3000), np.repeat(np.arange(10), 600)
    noise = random.normal(size=6000)
    assert ten_fold_accuracy(noise, same, fold) == pytest.approx(0.5, abs=0.03)
    # Unit normals 2 apart: the best threshold is wrong in 15.87 %.
    apart = noise + 2 * same
    assert ten_fold_accuracy(apart, same, fold) == pytest.approx(0.8413, abs=0.01)


# Against scikit-learn.


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('seed', range(3))
def test_rates_agree_with_scikit_learn(seed, ties):
    sklearn = pytest.importorskip('sklearn.metrics')
    scores, same = made_up_pairs(seed, ties=ties)
    far, tar, _ = sklearn.roc_curve(same, scores)
    grid = np.linspace(0, 1, 200001)
    gap = grid + np.interp(grid, far, tar) - 1
    area = sklearn.roc_auc_score(same, scores)
    assert area_under_roc(scores, same) == pytest.approx(area)
    error = equal_error_rate(scores, same)
    assert error == pytest.approx(grid[np.abs(gap).argmin()], abs=2e-5)
    for wanted in (0.01, 0.001):
        best = tar[far <= wanted].max()
        assert tar_at_far(scores, same, wanted) == pytest.approx(best)


def test_tensors_are_taken_as_arrays_are():
    scores, same = made_up_pairs(0)
    tensors = torch.from_numpy(scores), torch.from_numpy(same)
    for measure in RATES:
        assert measure(*tensors) == measure(scores, same)


# Scores.


def test_a_score_is_the_cosine_of_two_embeddings():
    probes = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    gallery = np.array([[1.0, 0.0], [0.0, -1.0]])
    scores = pair_scores(probes, gallery, np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert scores.tolist() == [0.6, -0.8, -1.0]


def test_the_last_bits_of_a_float_tell_nobody_apart():
    random = np.random.default_rng(0)
    alike = np.ones((40, 16)) + 1e-7 * random.normal(size=(40, 16))
    first, second = np.triu_indices(40, 1)
    scores = pair_scores(alike, alike, first, second)
    assert set(scores) == {1.0}


def test_an_embedding_of_zeros_is_as_unlike_everybody():
    vectors = np.array([[0.0, 0.0], [1.0, 0.0]])
    scores = pair_scores(vectors, vectors, np.array([0, 1]), np.array([1, 1]))
    assert scores.tolist() == [0.0, 1.0]


# What is refused.


def test_embeddings_that_are_not_finite_are_named():
    vectors = np.ones((3, 2))
    vectors[1] = np.nan
    at = np.array([0])
    with pytest.raises(ValueError, match='first images: 1 of 3 are not finite.* 1$'):
        pair_scores(vectors, np.ones((3, 2)), at, at)
    with pytest.raises(ValueError, match='second images: 1 of 3 are not finite'):
        pair_scores(np.ones((3, 2)), vectors, at, at)
    with pytest.raises(ValueError, match='the same length, got 2 and 3'):
        pair_scores(np.ones((3, 2)), np.ones((3, 3)), at, at)
    with pytest.raises(ValueError, match=r'must be \(K, E\), got \(3,\)'):
        pair_scores(np.ones(3), np.ones((3, 3)), at, at)


@pytest.mark.parametrize(
    'scores, same, says',
    [
        ([0.1, np.nan, np.inf], [1, 0, 0], '2 of 3 scores are not finite, .* 1$'),
        ([0.1, 0.2], [1, 1], 'no pair of two people among 2'),
        ([0.1, 0.2], [0, 0], 'no pair of the same person among 2'),
        ([], [], 'no pair of the same person among 0'),
        ([0.1, 0.2], [0, 1, 1], r'got \(2,\) and \(3,\)'),
    ],
)
def test_pairs_that_cannot_be_measured_are_refused(scores, same, says):
    measures = [
        *RATES,
        lambda x, y: tar_at_far(x, y, 0.01),
        lambda x, y: ten_fold_accuracy(x, y, np.zeros(len(y))),
    ]
    for measure in measures:
        with pytest.raises(ValueError, match=says):
            measure(scores, same)


def test_a_rate_too_small_to_be_seen_is_refused():
    scores, same = np.zeros(1000), np.arange(1000) < 1
    with pytest.raises(ValueError, match='0.001 needs at least 1000 pairs .* got 999'):
        tar_at_far(scores, same, 0.001)
    assert tar_at_far(np.zeros(1001), np.arange(1001) < 1, 0.001) == 0
    for far in (0, 1, -0.5):
        with pytest.raises(ValueError, match=r'far must be in \(0, 1\)'):
            tar_at_far(scores, same, far)


def test_folds_that_cannot_be_measured_are_refused():
    scores, same = np.zeros(4), np.array([True, False, True, True])
    with pytest.raises(ValueError, match='two are needed, got 1'):
        ten_fold_accuracy(scores, same, np.zeros(4))
    with pytest.raises(ValueError, match='fold 1: no pair of two people among 2'):
        ten_fold_accuracy(scores, same, np.array([0, 0, 1, 1]))
    with pytest.raises(ValueError, match='4 pairs need 4 folds'):
        ten_fold_accuracy(scores, same, np.array([0, 1]))
