"""Seeds each training sample, independent of the worker that loads it and of the time.

The workers of a data loader have their own random generators, and no checkpoint
contains their state. This module seeds each sample by the seed of the run and the
position of the sample in the sampler's stream. So a resumed training continues with the
same samples as an uninterrupted one, with any number of workers.
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
    """Return the seed of the first process; other processes may have other seeds."""
    shared = torch.tensor(seed)
    broadcast(shared)
    return int(shared)


def seed_iteration(seed: int, iteration: int) -> None:
    """Seed all random generators by the seed of the run and the iteration."""
    mixed = mix_seeds(seed, iteration)
    random.seed(mixed)
    np.random.seed(mixed)
    torch.manual_seed(mixed)


def follow_seed(loader: DataLoader, drawn: int, seed: int) -> None:
    """Replace the seed of samplers.

    A runner without a configured seed draws one and builds its samplers with it. Only
    later does it take over the seed of a resumed checkpoint.

    Args:
        loader (DataLoader): The training loader; its samplers have drawn nothing yet.
        drawn (int): The old seed; samplers with another seed do not change.
        seed (int): The new seed.
    """
    batches: Any = loader.batch_sampler
    sampler: Any = getattr(batches, 'sampler', None)
    if isinstance(sampler, SeededSampler):
        sampler = sampler.sampler
    for drawing in (batches, sampler):
        if getattr(drawing, 'seed', None) == drawn:
            drawing.seed = seed


def seed_samples(loader: DataLoader, seed: int, epoch: int = 0) -> None:
    """Make a data loader seed each of its samples.

    Existing iterators of the loader do not change.

    Args:
        loader (DataLoader): A loader; nothing happens if its data set is iterable.
        seed (int): Seed of the run, the same in all processes.
        epoch (int): Number of finished passes through the sampler. Defaults to 0.
    """
    batches: Any = loader.batch_sampler
    dataset: Any = loader.dataset
    if not hasattr(batches, 'sampler') or isinstance(dataset, IterableDataset):
        return
    if not isinstance(batches.sampler, SeededSampler):
        batches.sampler = SeededSampler(batches.sampler)
        # Data loaders call it for the samples of a batch. Only the outermost data set
        # sees the drawn indices with their seeds.
        dataset.__getitems__ = _SeededItems(dataset)
    batches.sampler.seed = seed
    batches.sampler.position = epoch * len(batches.sampler) if epoch else 0


def skip_batches(loader: DataLoader, count: int) -> None:
    """Start a loader's next epoch at a later batch, without loading earlier ones.

    Its length and the seeds of its samples do not change.

    Args:
        loader (DataLoader): A loader without an iterator yet.
        count (int): Number of batches to skip.
    """
    # A DataLoader does not allow to set another batch sampler.
    loader.__dict__['batch_sampler'] = _LaterBatches(loader.batch_sampler, count)


def restart_workers(loader: DataLoader) -> None:
    """Make a loader's next iterator use the current pipelines.

    Some loops create an iterator when they are built. Its workers, and persistent
    workers forever, have the pipelines of that time.
    """
    loader._iterator = None
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, SeededSampler):
        sampler = sampler.sampler
    if isinstance(sampler, InfiniteSampler):
        # It has a single stream of indices, which ended with its first iterator.
        sampler.indices = sampler._indices_of_rank()


def mix_seeds(*seeds: int) -> int:
    """Combine several numbers to one seed in [0, 2³²)."""
    return int(np.random.SeedSequence(seeds).generate_state(1)[0])


class SeededIndex(int):
    """An index that carries the seed of its sample."""

    seed: int


class SeededSampler(Sampler):
    """Yields the indices of another sampler, each with a seed of its stream position.

    All processes share one stream and draw from it in turns, as in mmengine's samplers.

    Args:
        sampler (Sampler): The other sampler; its attributes are available here, too.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler
        self.seed = 0
        self.position = 0
        self.rank, self.world_size = get_dist_info()
        if hasattr(sampler, 'skip'):
            # A resumed loop calls `skip` of the original sampler.
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
        if name == 'sampler':  # not set yet, for example while it is copied
            raise AttributeError(name)
        return getattr(self.sampler, name)

    def _skip_to(self, num_samples: int) -> None:
        self._skip(num_samples)
        self.position = num_samples


class _LaterBatches:
    """A batch sampler that starts at a later batch in its first epoch only."""

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
        if name == 'batches':  # not set yet, for example while it is copied
            raise AttributeError(name)
        return getattr(self.batches, name)


class _SeededItems:
    """Returns the samples of a batch; each is loaded with its own seed."""

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
    """Restore all random states afterwards, for loaders without workers."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
