"""The endless stream of face batches of a training.

The face at a position of the stream depends only on the seed and the position. So a
resumed training continues with the same batches. All processes share one stream:
together, their batches equal the batch of a single process with as many faces.
"""

from collections import OrderedDict
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from mmanon.registry import DATA_SAMPLERS

from .face_identities import FaceDraw, FaceIdentityDataset

__all__ = ['ClassBalancedSampler', 'FaceBatchLoader', 'build_face_loader']

# The most shuffled orders to keep in memory.
_REMEMBERED = 4096
# Parts of the seed: orders of people and orders of images differ.
_PEOPLE, _IMAGES = 0, 1


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(Sampler):
    """An endless sampler that draws every person equally often.

    It goes through all people in a shuffled order, then in a new shuffled order, and so
    on, and likewise through the images of each person. In distributed runs each process
    gets a block of every batch.

    Args:
        dataset (FaceIdentityDataset): The faces; only its ``labels`` are used.
        batch_size (int): Faces of one process in each iteration.
        seed (int): Seed of the stream, the same in all processes. Defaults to 0.
        start_iteration (int): The iteration to begin with. Defaults to 0.
        images_per_identity (int): Number of images of a person drawn in succession.
            Defaults to 1.

    Raises:
        ValueError: If the batch size is not a multiple of ``images_per_identity``,
            or a number is out of range.
    """

    def __init__(
        self,
        dataset: FaceIdentityDataset,
        batch_size: int,
        seed: int | None = 0,
        start_iteration: int = 0,
        images_per_identity: int = 1,
    ) -> None:
        if batch_size < 1 or images_per_identity < 1 or start_iteration < 0:
            raise ValueError(
                'batch_size and images_per_identity must be positive and '
                f'start_iteration not negative, got {batch_size}, '
                f'{images_per_identity} and {start_iteration}'
            )
        if batch_size % images_per_identity:
            raise ValueError(
                f'batch_size={batch_size} must be a multiple of '
                f'images_per_identity={images_per_identity}'
            )
        self.batch_size = batch_size
        self.seed = seed or 0
        self.start_iteration = start_iteration
        self.images_per_identity = images_per_identity
        self.rank, self.world_size = get_dist_info()
        labels = np.asarray(dataset.labels)
        order = np.argsort(labels, kind='stable')
        firsts = np.unique(labels[order], return_index=True)[1]
        self._images = np.split(order, firsts[1:])
        self._orders: OrderedDict[tuple[int, ...], np.ndarray] = OrderedDict()

    def __iter__(self) -> Iterator[FaceDraw]:
        iteration = self.start_iteration
        while True:
            first = (iteration * self.world_size + self.rank) * self.batch_size
            for position in range(first, first + self.batch_size):
                yield self.draw(position)
            iteration += 1

    def __len__(self) -> int:
        """Number of images in the data set, as in mmengine's endless samplers."""
        return sum(map(len, self._images))

    def draw(self, position: int) -> FaceDraw:
        """Return the face at a position of the stream that all processes share."""
        group, image = divmod(position, self.images_per_identity)
        # In each round every person occurs once.
        round_, place = divmod(group, len(self._images))
        person = self._order(_PEOPLE, round_, 0, len(self._images))[place]
        images = self._images[person]
        image += round_ * self.images_per_identity
        round_, place = divmod(image, len(images))
        chosen = self._order(_IMAGES, round_, int(person), len(images))[place]
        return FaceDraw(int(images[chosen]), position, self.seed)

    def _order(self, kind: int, round_: int, person: int, count: int) -> np.ndarray:
        key = (self.seed, kind, round_, person)
        order = self._orders.get(key)
        if order is None:
            order = np.random.default_rng(key).permutation(count)
            self._orders[key] = order
            if len(self._orders) > _REMEMBERED:
                self._orders.popitem(last=False)
        return order


class FaceBatchLoader:
    """An endless iterable of face batches.

    A batch is ``dict(images=..., labels=..., positions=...)``: float32 (B, 3, S, S) in
    [-1, 1], int64 (B,) in [0, I), and int64 (B,), the positions in the stream.

    Args:
        dataset (FaceIdentityDataset): Faces.
        sampler (ClassBalancedSampler): Selects the faces.
        num_workers (int): Processes that decode images; with 0 this process decodes.
        as_bytes (bool): Whether ``images`` stay uint8 in [0, 255], to be converted on
            the device: a quarter of the bytes to copy. Defaults to False.
        pin_memory (bool): Whether batches are in pinned memory, so that a GPU can copy
            them in the background. Defaults to False.
    """

    def __init__(
        self,
        dataset: FaceIdentityDataset,
        sampler: ClassBalancedSampler,
        num_workers: int = 0,
        as_bytes: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self._as_bytes = as_bytes
        self._loader = DataLoader(
            _Pixels(dataset),
            batch_size=sampler.batch_size,
            sampler=sampler,
            num_workers=num_workers,
            pin_memory=pin_memory,
            worker_init_fn=_start_worker,
            # Without a generator of its own it would use the training's random numbers.
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for pixels, labels, positions in self._loader:
            # Workers return uint8: a quarter of the shared memory.
            images = pixels
            if not self._as_bytes:
                images = pixels.float().div_(127.5).sub_(1)
            yield dict(images=images, labels=labels, positions=positions)


def build_face_loader(
    dataset: FaceIdentityDataset,
    batch_size: int,
    num_workers: int = 0,
    seed: int = 0,
    start_iteration: int = 0,
    images_per_identity: int = 1,
    as_bytes: bool = False,
    pin_memory: bool = False,
) -> FaceBatchLoader:
    """Build the stream of face batches of this process.

    Args:
        dataset (FaceIdentityDataset): Faces.
        batch_size (int): B, the number of faces of each process.
        num_workers (int): Processes that decode images; with 0 this process decodes.
        seed (int): Seed of the stream, the same in all processes.
        start_iteration (int): The batch to begin with; earlier ones are not decoded.
        images_per_identity (int): Number of images of a person drawn in succession.
        as_bytes, pin_memory (bool): As in :class:`FaceBatchLoader`.

    Raises:
        ValueError: As in :class:`ClassBalancedSampler`.
    """
    sampler = ClassBalancedSampler(
        dataset, batch_size, seed, start_iteration, images_per_identity
    )
    return FaceBatchLoader(dataset, sampler, num_workers, as_bytes, pin_memory)


class _Pixels(Dataset):
    """Drawn faces as uint8, with labels and positions."""

    def __init__(self, dataset: FaceIdentityDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: FaceDraw) -> tuple[Tensor, int, int]:
        return (*self.dataset.pixels(draw), draw.position)


def _start_worker(worker: int) -> None:
    cv2.setNumThreads(0)
