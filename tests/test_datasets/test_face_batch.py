from collections import Counter
from itertools import islice

import cv2
import numpy as np
import pytest
import torch

from mmanon.datasets import ClassBalancedSampler, FaceIdentityDataset, build_face_loader
from mmanon.datasets import face_batch as module
from mmanon.registry import DATA_SAMPLERS

COUNTS = {'a': 1, 'b': 7, 'c': 3, 'd': 4, 'e': 2}


@pytest.fixture
def dataset(tmp_path):
    """Faces that are brighter on the left, of one brightness an image."""
    value = 0
    for name, count in COUNTS.items():
        (tmp_path / name).mkdir()
        for index in range(count):
            image = np.full((8, 8, 3), value, np.uint8)
            image[:, :4] += 100
            cv2.imwrite(str(tmp_path / name / f'{index}.png'), image)
            value += 5
    return FaceIdentityDataset(tmp_path, crop_size=8)


@pytest.fixture
def as_rank(monkeypatch):
    def pretend(rank, world_size):
        monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world_size))

    return pretend


def take(sampler, count):
    return list(islice(sampler, count))


def batches(dataset, count, batch_size=4, **kwargs):
    return list(islice(build_face_loader(dataset, batch_size, **kwargs), count))


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_every_person_is_drawn_equally_often(dataset):
    draws = take(ClassBalancedSampler(dataset, batch_size=4), 500)
    drawn = Counter(dataset.labels[draw.index] for draw in draws)
    assert drawn == {label: 100 for label in range(5)}


def test_every_image_of_a_person_is_drawn_equally_often(dataset):
    draws = take(ClassBalancedSampler(dataset, batch_size=5), 5 * 7 * 3 * 4)
    drawn = Counter(draw.index for draw in draws)
    for label, count in enumerate(COUNTS.values()):
        times = [drawn[index] for index in np.flatnonzero(dataset.labels == label)]
        assert times == [84 // count] * count


def test_people_and_images_come_in_a_new_order_each_round(dataset):
    draws = take(ClassBalancedSampler(dataset, batch_size=5), 50)
    labels = [int(dataset.labels[draw.index]) for draw in draws]
    rounds = [tuple(labels[start : start + 5]) for start in range(0, 50, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in rounds)
    assert len(set(rounds)) > 5


def test_another_seed_draws_otherwise(dataset):
    first = take(ClassBalancedSampler(dataset, 4, seed=1), 40)
    assert take(ClassBalancedSampler(dataset, 4, seed=1), 40) == first
    other = take(ClassBalancedSampler(dataset, 4, seed=2), 40)
    assert [one.index for one in other] != [one.index for one in first]


def test_several_images_of_a_person_come_together(dataset):
    sampler = ClassBalancedSampler(dataset, batch_size=6, images_per_identity=3)
    draws = take(sampler, 6 * 70)
    labels = dataset.labels[[draw.index for draw in draws]].reshape(-1, 3)
    assert (labels == labels[:, :1]).all()
    assert Counter(labels[:, 0]) == {label: 28 for label in range(5)}
    # Whoever has as many images shows different ones.
    for group in np.reshape([draw.index for draw in draws], (-1, 3)):
        if dataset.labels[group[0]] == 2:
            assert len(set(group)) == 3


def test_a_later_start_goes_on_exactly(dataset):
    whole = take(ClassBalancedSampler(dataset, 4, seed=5), 4 * 30)
    late = take(ClassBalancedSampler(dataset, 4, seed=5, start_iteration=11), 4 * 19)
    assert late == whole[44:]


@pytest.mark.parametrize('world_size, images', [(2, 1), (3, 1), (2, 2)])
def test_processes_share_out_the_batches_of_one(dataset, as_rank, world_size, images):
    one = take(
        ClassBalancedSampler(dataset, 4 * world_size, 7, 3, images), 4 * world_size * 10
    )
    parts = []
    for rank in range(world_size):
        as_rank(rank, world_size)
        part = take(ClassBalancedSampler(dataset, 4, 7, 3, images), 40)
        parts.append([part[start : start + 4] for start in range(0, 40, 4)])
    union = [
        draw for batch in zip(*parts, strict=True) for one in batch for draw in one
    ]
    assert union == one


def test_wrong_arguments_are_named(dataset):
    with pytest.raises(ValueError, match='batch_size=4 .* images_per_identity=3'):
        ClassBalancedSampler(dataset, 4, images_per_identity=3)
    with pytest.raises(ValueError, match='positive .* got 0, 1 and 0'):
        ClassBalancedSampler(dataset, 0)


def test_it_is_registered(dataset):
    cfg = dict(type='ClassBalancedSampler', dataset=dataset, batch_size=2, seed=None)
    assert take(DATA_SAMPLERS.build(cfg), 1)[0].position == 0


def test_a_batch_holds_faces_labels_and_places(dataset):
    first, second = batches(dataset, 2)
    assert set(first) == {'images', 'labels', 'positions'}
    assert first['images'].shape == (4, 3, 8, 8)
    assert first['images'].dtype == torch.float32
    assert first['labels'].dtype == first['positions'].dtype == torch.int64
    assert second['positions'].tolist() == [4, 5, 6, 7]
    # The darker half of a face tells which image it is, mirrored or not.
    values = (first['images'].amin((1, 2, 3)) + 1) * 127.5 / 5
    indices = values.round().long()
    assert first['labels'].tolist() == dataset.labels[indices].tolist()
    assert -1 <= first['images'].min() and first['images'].max() <= 1


def test_some_faces_are_mirrored(dataset):
    images = torch.cat([one['images'] for one in batches(dataset, 20)])
    left = images[:, 0, 0, 0] > images[:, 0, 0, 7]
    assert 20 < left.sum() < 60


@pytest.mark.parametrize('num_workers', [0, 2])
def test_a_resumed_stream_gives_the_same_batches(dataset, num_workers):
    whole = batches(dataset, 12, seed=9)
    late = batches(dataset, 5, seed=9, start_iteration=7, num_workers=num_workers)
    assert all(same(*pair) for pair in zip(late, whole[7:], strict=True))


def test_processes_get_the_very_faces_that_one_would(dataset, as_rank):
    whole = batches(dataset, 6, batch_size=8)
    parts = []
    for rank in (0, 1):
        as_rank(rank, 2)
        parts.append(batches(dataset, 6))
    for one, first, second in zip(whole, *parts, strict=True):
        for key in one:
            assert torch.equal(one[key], torch.cat([first[key], second[key]]))


def test_resuming_decodes_nothing_that_is_skipped(dataset, monkeypatch):
    asked = []
    pixels = dataset.pixels
    monkeypatch.setattr(
        dataset, 'pixels', lambda draw: asked.append(draw) or pixels(draw)
    )
    [batch] = batches(dataset, 1, start_iteration=10**6)
    assert [draw.position for draw in asked] == batch['positions'].tolist()


def test_the_training_s_random_numbers_are_left_alone(dataset):
    torch.manual_seed(4)
    np.random.seed(4)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(4)
    np.random.seed(4)
    batches(dataset, 3)
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])
