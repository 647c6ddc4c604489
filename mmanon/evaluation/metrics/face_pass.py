"""One pass over the faces of a data set, for all metrics of these faces."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mmanon.evaluation.face_set import FaceSet
from mmanon.models.layers.face_views import FaceView

__all__ = ['EmbeddingWatcher', 'FacePass', 'FaceWatcher', 'RedrawingModel']


class RedrawingModel(Protocol):
    """The interface of a model for a pass, such as an :class:`AnonymizedDetector`.

    If a model has ``redraw_or_cover``, the pass uses it to count covered faces.

    Attributes:
        crop_size: S, the side of a crop in pixels.
        margin: Enlargement of a face box on each side, as a fraction of its side.
        discriminator: D, or None.
        training: Whether it is in training mode.
    """

    crop_size: int
    margin: float
    discriminator: Any
    training: bool

    def redraw_faces(self, faces: Tensor) -> Tensor:
        """Redraw faces, (K, 3, S, S) in [-1, 1], as viewers see them."""

    def train(self, mode: bool = True) -> Any:
        """Set training or evaluation mode."""


class FaceWatcher(Protocol):
    """The interface of an object to which a pass shows its faces."""

    def watch(self, original: Tensor, modified: Tensor) -> None:
        """Process original and modified images, (K, 3, P, P) in [-1, 1]."""


_Watcher = TypeVar('_Watcher', bound=FaceWatcher)


class FacePass:
    """Redraws each face of a data set once and shows it to all watchers.

    Random modifiers use their own random numbers. So each pass gives the same faces,
    and the random numbers of the training do not change.

    Args:
        dataset (FaceSet): Faces without augmentation.
        model (RedrawingModel): An :class:`AnonymizedDetector`.
        device (torch.device): The device of the model.
        batch_size (int): Number of faces in a batch.
        seed (int): Seed of random modifiers.
        view (FaceView, optional): View of the images; the model redraws the crops in
            them. By default the images are the crops.

    Attributes:
        covered (int): Number of faces that were covered, because M would have left them
            nearly unchanged.
    """

    def __init__(
        self,
        dataset: FaceSet,
        model: RedrawingModel,
        device: torch.device,
        batch_size: int,
        seed: int,
        view: FaceView | None = None,
    ) -> None:
        self.dataset = dataset
        self.model = model
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.seed = seed
        self.view = view
        self._watchers: dict[str, FaceWatcher] = {}
        self.covered = 0
        self._done = False

    def add_watcher(self, key: str, make: Callable[[], _Watcher]) -> _Watcher:
        """Return the watcher of a key; the first call with the key creates it."""
        if key not in self._watchers:
            self._watchers[key] = make()
        return cast(_Watcher, self._watchers[key])

    @torch.no_grad()
    def run(self) -> None:
        """Show all faces; a second call does nothing."""
        if self._done:
            return
        devices = [self.device] if self.device.type == 'cuda' else []
        training = self.model.training
        self.model.train(False)
        try:
            with torch.random.fork_rng(devices):
                torch.manual_seed(self.seed)
                dataset = cast(Dataset, self.dataset)
                for batch in DataLoader(dataset, self.batch_size):
                    original = batch['image'].to(self.device)
                    if self.view is None:
                        modified = self._redraw(original)
                    else:
                        modified = self.view.redraw(original, self._redraw)
                    for watcher in self._watchers.values():
                        watcher.watch(original, modified)
        finally:
            self.model.train(training)
        self._done = True

    def _redraw(self, faces: Tensor) -> Tensor:
        redraw_or_cover = getattr(self.model, 'redraw_or_cover', None)
        if redraw_or_cover is None:
            return self.model.redraw_faces(faces)
        modified, covered = redraw_or_cover(faces)
        self.covered += int(covered.sum())
        return modified


class EmbeddingWatcher:
    """Embeds each face once, original and modified.

    Args:
        recognizer: A module with ``embed``, such as :class:`FaceClassifier`, and
            optionally ``embed_modified`` for modified faces.
    """

    def __init__(self, recognizer: Any) -> None:
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
        """Return embeddings of all ``'original'`` or ``'modified'`` faces, (K, E)."""
        return torch.cat(self._parts[kind]).numpy()
