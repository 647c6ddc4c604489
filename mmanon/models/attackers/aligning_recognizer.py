"""A recognizer that finds the face itself and aligns it."""

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

# YuNet finds faces of a hundred pixels or more best.
_SEARCHED_SIDE = 256
# Size of the cache of landmarks; training uses the same images many times.
_MOST_KEPT = 50_000


@MODELS.register_module()
class AligningRecognizer(WholePretrained):
    """A recognizer of aligned faces that aligns crops of an anonymizer itself.

    An anonymizer cuts crops around face boxes, but recognizers are trained on faces
    with landmarks at fixed positions. This recognizer searches the crop for landmarks,
    as an attacker must who has only the anonymized video, and then rotates, scales and
    shifts the crop. If it finds no face, it uses the face box without alignment.

    Args:
        recognizer (dict): Config of a :class:`FaceClassifier` with trained weights.
        detector (dict): Config of a face detector that finds landmarks.
        side (int): Side of the aligned face in pixels. Defaults to 112.
        margin (float): Enlargement of the face box on each side of a crop, as a
            fraction of its side. Defaults to 0.5.
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
        """Return the margin that a metric gives it: the margin of the images."""
        return view.image_margin

    def embed(self, faces: Tensor) -> Tensor:
        """Embed crops, (K, 3, S, S) in [-1, 1], as (K, E), differentiable in crops."""
        if not len(faces):
            return self.recognizer.embed(faces)
        landmarks = self.landmarks(faces)
        template = torch.tensor((TEMPLATE + 0.5) / TEMPLATE_SIDE, dtype=torch.float32)
        return self.recognizer.embed(aligned(faces, landmarks, template, self.side))

    @torch.no_grad()
    def landmarks(self, faces: Tensor) -> Tensor:
        """Find the landmarks of crops, (K, 5, 2), as fractions of the side."""
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
        # The centre of pixel i is at i + 0.5.
        return ((found + 0.5) / _SEARCHED_SIDE).astype(np.float32)
