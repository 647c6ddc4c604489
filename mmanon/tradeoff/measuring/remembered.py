"""A modifier as its users run it that redraws each picture once and remembers it."""

from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmanon.anonymizer.backends.base import build_backend
from mmanon.models.modifiers.base import BaseModifier
from mmanon.registry import MODELS
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.atomic_write import written_whole

__all__ = ['DrawingModel', 'FaceMemory', 'RememberedModifier']

_FACES_AT_ONCE = 16


class FaceMemory:
    """Redrawn faces, which are looked up by the pixels of the originals.

    Attributes:
        drawn (dict): By digest of an original face, the redrawn face, uint8 (3, S, S),
            and whether it was covered.
    """

    def __init__(self) -> None:
        self.drawn: dict[bytes, tuple[np.ndarray, bool]] = {}

    def load(self, path: Path) -> None:
        """Add the faces of a file, if it exists."""
        if not path.is_file():
            return
        with np.load(path, allow_pickle=False) as kept:
            digests, faces, covered = (kept[k] for k in ('digests', 'faces', 'covered'))
        for digest, face, one in zip(digests, faces, covered, strict=True):
            self.drawn[digest.tobytes()] = face, bool(one)

    def save(self, path: Path) -> None:
        """Write all faces to a file."""
        digests = np.frombuffer(b''.join(self.drawn), np.uint8).reshape(-1, 16)
        faces = np.stack([face for face, _ in self.drawn.values()])
        covered = np.array([one for _, one in self.drawn.values()])
        path.parent.mkdir(parents=True, exist_ok=True)
        # NumPy adds a suffix to names, not to open files.
        with written_whole(path) as beside, open(beside, 'wb') as file:
            np.savez(file, digests=digests, faces=faces, covered=covered)


@MODELS.register_module()
class RememberedModifier(BaseModifier):
    """Redraws as the anonymizer does: also from ONNX files, with one key per face.

    Each picture is redrawn only once, so the result is always the same. Faces are
    rounded to the 256 levels of an image file before and after. Attackers in training
    see each redrawn face many times, and need not wait for it again.

    Args:
        modifier (str or dict): File or config of the modifier, as for
            :func:`mmanon.anonymizer.backends.base.build_backend`.
        margin (float, optional): Enlargement of the face box on each side, as a
            fraction of its side. Defaults to the modifier's own.
        seed (int): Seed of the keys. A key follows from it and the pixels of the face.
            Defaults to 0.
        memory (str, optional): File of a :class:`FaceMemory` to start with. It is read
            but not written.
    """

    def __init__(
        self,
        modifier: str | dict,
        seed: int = 0,
        memory: str | None = None,
        margin: float | None = None,
    ) -> None:
        super().__init__()
        self.backend, self.geometry = build_backend(modifier, margin=margin, seed=seed)
        self.memory = FaceMemory()
        if memory is not None:
            self.memory.load(Path(memory))

    def modify(self, faces: Tensor) -> Tensor:
        """Redraw at least one face; shapes as in :meth:`forward`."""
        return self.show(faces)[0]

    def show(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Redraw faces, (K, 3, S, S), and return which were covered, bool (K,)."""
        levels = ((faces.detach().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()
        keys = [
            blake2b(one.numpy().tobytes(), digest_size=16).digest() for one in levels
        ]
        new = {
            key: index for index, key in enumerate(keys) if key not in self.memory.drawn
        }
        places = list(new.values())
        for start in range(0, len(places), _FACES_AT_ONCE):
            chosen = places[start : start + _FACES_AT_ONCE]
            shown = levels[chosen].numpy().astype(np.float32) / 127.5 - 1
            drawn, covered = self.backend.modify(shown, [-1] * len(chosen))
            pixels = ((drawn.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)
            for index, face, one in zip(chosen, pixels, covered, strict=True):
                self.memory.drawn[keys[index]] = face, bool(one)
        found = [self.memory.drawn[key] for key in keys]
        redrawn = torch.from_numpy(np.stack([face for face, _ in found]))
        return (
            (redrawn.to(faces.device).float() / 127.5 - 1).to(faces.dtype),
            torch.tensor([one for _, one in found], device=faces.device),
        )


class DrawingModel:
    """The model that metrics of faces get in place of an anonymized detector.

    Args:
        modifier (BaseModifier): The modifier.
        geometry (CropGeometry): Geometry of its crops.
    """

    discriminator: Any = None
    training = False

    def __init__(self, modifier: BaseModifier, geometry: CropGeometry) -> None:
        self.modifier = modifier.eval()
        self.crop_size = geometry.crop_size
        self.margin = geometry.margin
        self.feather = geometry.feather

    def redraw_faces(self, faces: Tensor) -> Tensor:
        """Redraw faces, (K, 3, S, S) in [-1, 1]."""
        return self.redraw_or_cover(faces)[0]

    @torch.no_grad()
    def redraw_or_cover(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Redraw faces, and return which were covered, bool (K,)."""
        if isinstance(self.modifier, RememberedModifier):
            return self.modifier.show(faces)
        return self.modifier(faces), faces.new_zeros(len(faces), dtype=torch.bool)

    def train(self, mode: bool = True) -> 'DrawingModel':
        """Do nothing: the model is not trained."""
        return self
