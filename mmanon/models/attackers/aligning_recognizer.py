"""A recognizer that looks for the face itself, and turns it as it was trained."""

from hashlib import blake2b

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmanon.face_detectors.alignment import find_face
from mmanon.models.layers.face_views import FaceView
from mmanon.models.pretrained import WholePretrained
from mmanon.models.pretraining.critics import aligned
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE

__all__ = ['AligningRecognizer']

# YuNet finds faces best that have a hundred pixels or more.
_SEARCHED_SIDE = 256
# Landmarks that are kept; training looks at the same pictures again and again.
_MOST_KEPT = 50_000


@MODELS.register_module()
class AligningRecognizer(WholePretrained):
    """A recognizer of aligned faces, before crops that are not aligned.

    Crops as an anonymizer cuts them are boxes; recognizers were trained on faces whose
    landmarks are in fixed places. It finds the landmarks in whatever it is shown, as
    whoever has no more than an anonymized video must, and turns, scales and moves the
    crop by them. Where no face is found it takes the face box as it is.

    Args:
        recognizer (dict): A :class:`FaceClassifier` with trained weights.
        detector (dict): Face detector that finds landmarks.
        side (int): Of the aligned face in pixels. Defaults to 112.
        margin (float): By how much of its side the face box in a crop was enlarged on
            each side. Defaults to 0.5.
        norm_eval (bool): See :class:`FaceClassifier`. Defaults to False.
        init_cfg (dict, optional): See :class:`FaceClassifier`.
    """

    def __init__(
        self,
        recognizer: dict,
        detector: dict,
        side: int = TEMPLATE_SIDE,
        margin: float = 0.5,
        norm_eval: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.recognizer = MODELS.build(
            {**recognizer, 'margin': 0.0, 'norm_eval': norm_eval}
        )
        self._detector = MODELS.build(detector)
        self.side = side
        self.margin = margin
        self._known: dict[bytes, np.ndarray] = {}

    @staticmethod
    def margin_in(view: FaceView) -> float:
        """It is told the margin of the images that it is shown."""
        return view.image_margin

    def embed(self, faces: Tensor) -> Tensor:
        """Embed crops, (K, 3, S, S) in [-1, 1], as (K, E); differentiable in them."""
        if not len(faces):
            return self.recognizer.embed(faces)
        landmarks = self.landmarks(faces)
        template = torch.tensor((TEMPLATE + 0.5) / TEMPLATE_SIDE, dtype=torch.float32)
        return self.recognizer.embed(aligned(faces, landmarks, template, self.side))

    @torch.no_grad()
    def landmarks(self, faces: Tensor) -> Tensor:
        """Where the landmarks of crops are, (K, 5, 2) in parts of the side."""
        levels = ((faces.detach().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()
        places = np.stack([self._find(one) for one in levels])
        return torch.from_numpy(places).to(faces)

    def _find(self, face: Tensor) -> np.ndarray:
        key = blake2b(face.numpy().tobytes(), digest_size=16).digest()
        if key not in self._known:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[key] = self._search(face)
        return self._known[key]

    def _search(self, face: Tensor) -> np.ndarray:
        shown = F.interpolate(
            face[None].float(), size=_SEARCHED_SIDE, mode='bicubic', antialias=True
        )
        pixels = shown[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        found = find_face(np.ascontiguousarray(pixels), self._detector)
        if found is None:
            box = (TEMPLATE + 0.5) / TEMPLATE_SIDE
            return ((box + self.margin) / (1 + 2 * self.margin)).astype(np.float32)
        # A pixel's index is half a pixel before its middle.
        return ((found + 0.5) / _SEARCHED_SIDE).astype(np.float32)
