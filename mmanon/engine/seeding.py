"""Random numbers of a training sample that do not depend on who loads it, or when.

The workers of a data loader draw from generators of their own, and no checkpoint holds
their state. Here each sample begins with random numbers that are a function of the
run's seed and of the sample's place in the sampler's stream: a resumed training goes
on with the samples it would have had, whatever the number of workers.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from numbers import Integral
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import broadcast, get_dist_info
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler

__all__ = [
    'SeededIndex',
    'SeededSampler',
    'follow_seed',
    'mix_seeds',
    'restart_workers',
    'seed_iteration',
    'seed_of_all',
    'seed_samples',
    'skip_batches',
]


def seed_of_all(seed: int) -> int:
    """The seed of the first process, where each has its own."""
    shared = torch.tensor(seed)
    broadcast(shared)
    return int(shared)


def seed_iteration(seed: int, iteration: int) -> None:
    """Make all random numbers drawn from here on a function of the iteration."""
    mixed = mix_seeds(seed, iteration)
    random.seed(mixed)
    np.random.seed(mixed)
    torch.manual_seed(mixed)


def follow_seed(loader: DataLoader, drawn: int, seed: int) -> None:
    """Let samplers that were built with one seed draw by another from here on.

    A runner without a configured seed draws one and builds its samplers with it. It
    takes over the seed of a resumed checkpoint only later.

    Args:
        loader (DataLoader): Of the training; its samplers have drawn nothing yet.
        drawn (int): The seed that they may have been built with; others stay.
        seed (int): The seed to draw by.
    """
    batches: Any = loader.batch_sampler
    sampler: Any = getattr(batches, 'sampler', None)
    if isinstance(sampler, SeededSampler):
        sampler = sampler.sampler
    for drawing in (batches, sampler):
        if getattr(drawing, 'seed', None) == drawn:
            drawing.seed = seed


def seed_samples(loader: DataLoader, seed: int, epoch: int = 0) -> None:
    """Let a data loader's samples begin with random numbers of their own.

    Earlier iterators of the loader are not changed.

    Args:
        loader (DataLoader): Of a data set with an index; others are not changed.
        seed (int): Seed of the run, the same in all processes.
        epoch (int): Number of finished passes through the sampler. Defaults to 0.
    """
    batches: Any = loader.batch_sampler
    dataset: Any = loader.dataset
    if not hasattr(batches, 'sampler') or isinstance(dataset, IterableDataset):
        return
    if not isinstance(batches.sampler, SeededSampler):
        batches.sampler = SeededSampler(batches.sampler)
        # Asked by data loaders for the samples of a batch: the outermost data set
        # alone knows what was drawn, its pipelines see an index at most.
        dataset.__getitems__ = _SeededItems(dataset)
    batches.sampler.seed = seed
    batches.sampler.position = epoch * len(batches.sampler) if epoch else 0


def skip_batches(loader: DataLoader, count: int) -> None:
    """Let a loader's next epoch begin at a later batch; nothing before it is loaded.

    Its length and the seeds of its samples do not change.

    Args:
        loader (DataLoader): One that has given out no iterator yet.
        count (int): Batches to leave out.
    """
    # It refuses to be given another batch sampler, lest it be in use.
    loader.__dict__['batch_sampler'] = _LaterBatches(loader.batch_sampler, count)


def restart_workers(loader: DataLoader) -> None:
    """Make a loader's next iterator start with the current pipelines.

    Some loops draw from their loader when they are built: its workers hold the
    pipelines of that time, persistent ones for good.
    """
    loader._iterator = None
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, SeededSampler):
        sampler = sampler.sampler
    if isinstance(sampler, InfiniteSampler):
        # Its one stream of indices ends with the first iterator that drew from it.
        sampler.indices = sampler._indices_of_rank()


def mix_seeds(*seeds: int) -> int:
    """One seed, in [0, 2³²), of several numbers."""
    return int(np.random.SeedSequence(seeds).generate_state(1)[0])


class SeededIndex(int):
    """An index that carries the seed of its sample."""

    seed: int


class SeededSampler(Sampler):
    """Another sampler's indices, each with a seed of its place in the stream.

    Processes number one stream that they take turns to draw from, as mmengine's
    samplers do.

    Args:
        sampler (Sampler): Its attributes can be asked for here as well.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler
        self.seed = 0
        self.position = 0
        self.rank, self.world_size = get_dist_info()
        if hasattr(sampler, 'skip'):
            # A resumed loop calls it at the sampler that the data loader names.
            self._skip, sampler.skip = sampler.skip, self._skip_to

    def __iter__(self) -> Iterator[Any]:
        for index in self.sampler:
            place = self.position * self.world_size + self.rank
            self.position += 1
            if isinstance(index, Integral):
                index = SeededIndex(index)
                index.seed = mix_seeds(self.seed, place)
            yield index

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        if name == 'sampler':  # not made yet, as while being copied
            raise AttributeError(name)
        return getattr(self.sampler, name)

    def _skip_to(self, num_samples: int) -> None:
        self._skip(num_samples)
        self.position = num_samples


class _LaterBatches:
    """Another batch sampler, which is gone through from a later batch on, once."""

    def __init__(self, batches: Any, done: int) -> None:
        self.batches = batches
        self.done = done
        self._begun = False

    def __iter__(self) -> Iterator[Any]:
        if self._begun:
            self.done = 0
        self._begun = True
        return islice(iter(self.batches), self.done, None)

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def sampler(self) -> Sampler:
        return self.batches.sampler

    @sampler.setter
    def sampler(self, sampler: Sampler) -> None:
        self.batches.sampler = sampler

    def __getattr__(self, name: str) -> Any:
        if name == 'batches':  # not made yet, as while being copied
            raise AttributeError(name)
        return getattr(self.batches, name)


class _SeededItems:
    """Gives the samples of a batch, each begun with its own random numbers."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __call__(self, indices: list) -> list:
        with _kept_random_numbers():
            return [self._item(index) for index in indices]

    def _item(self, index: Any) -> Any:
        if isinstance(index, SeededIndex):
            random.seed(index.seed)
            np.random.seed(index.seed)
            torch.default_generator.manual_seed(index.seed)
            index = int(index)
        return self.dataset[index]


@contextmanager
def _kept_random_numbers() -> Iterator[None]:
    """Without workers the training continues with its random numbers."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
