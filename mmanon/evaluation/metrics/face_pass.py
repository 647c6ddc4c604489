"""One pass over the faces of a data set, for all metrics that look at them."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

__all__ = ['EmbeddingWatcher', 'FacePass', 'FaceWatcher']


class FaceWatcher(Protocol):
    """Whom a pass shows its faces."""

    def watch(self, original: Tensor, modified: Tensor) -> None:
        """Look at faces before and after, (K, 3, S, S) in [-1, 1]."""


_Watcher = TypeVar('_Watcher', bound=FaceWatcher)


class FacePass:
    """Redraws each face of a data set once and shows it to all watchers.

    Random modifiers draw from a stream of their own, so a pass gives the same faces
    each time and leaves the random numbers of training alone.

    Args:
        dataset (Dataset): A :class:`FaceIdentityDataset` without augmentation.
        model (nn.Module): Has ``redraw_faces``, as :class:`AnonymizedDetector`.
        device (torch.device): Where the model is.
        batch_size (int): Faces at once.
        seed (int): Seed of random modifiers.
    """

    def __init__(
        self,
        dataset: Dataset,
        model: nn.Module,
        device: torch.device,
        batch_size: int,
        seed: int,
    ) -> None:
        self.dataset = dataset
        self.model = model
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.seed = seed
        self._watchers: dict[str, FaceWatcher] = {}
        self._done = False

    def add_watcher(self, key: str, make: Callable[[], _Watcher]) -> _Watcher:
        """The watcher of this key, made when it is the first of it."""
        if key not in self._watchers:
            self._watchers[key] = make()
        return self._watchers[key]

    @torch.no_grad()
    def run(self) -> None:
        """Show all faces; a second call does nothing."""
        if self._done:
            return
        devices = [self.device] if self.device.type == 'cuda' else []
        training = self.model.training
        self.model.eval()
        try:
            with torch.random.fork_rng(devices):
                torch.manual_seed(self.seed)
                for batch in DataLoader(self.dataset, self.batch_size):
                    original = batch['image'].to(self.device)
                    modified = self.model.redraw_faces(original)
                    for watcher in self._watchers.values():
                        watcher.watch(original, modified)
        finally:
            self.model.train(training)
        self._done = True


class EmbeddingWatcher:
    """Embeds each face, original and modified, once.

    Args:
        recognizer (nn.Module): Has ``embed``, as :class:`FaceClassifier`, and where it
            looks at modified faces in another way ``embed_modified``.
    """

    def __init__(self, recognizer: nn.Module) -> None:
        self.recognizer = recognizer
        self._embed = dict(
            original=recognizer.embed,
            modified=getattr(recognizer, 'embed_modified', recognizer.embed),
        )
        self._parts: dict[str, list[Tensor]] = dict(original=[], modified=[])

    def watch(self, original: Tensor, modified: Tensor) -> None:
        """Embed faces."""
        for name, faces in (('original', original), ('modified', modified)):
            embedded = self._embed[name](faces)
            self._parts[name].append(embedded.float().cpu())

    def embeddings(self, kind: str) -> np.ndarray:
        """Embeddings of all ``'original'`` or ``'modified'`` faces, (K, E)."""
        return torch.cat(self._parts[kind]).numpy()
