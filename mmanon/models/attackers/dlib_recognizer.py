"""The face descriptor of dlib."""

from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmanon.models.layers.face_crops import crop_faces
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE

_CHIP = 150
# Eyes and corners of the mouth in dlib's aligned faces, as fractions of the side: its
# mean face with a padding of a quarter on each side.
_CHIP_POINTS = np.array(
    [(0.3170, 0.3107), (0.6699, 0.3107), (0.3361, 0.6868), (0.6507, 0.6868)]
)


@MODELS.register_module()
class DlibRecognizer(BaseModule):
    """dlib's face descriptor (King, JMLR 2009) with 128 dimensions.

    It runs on the CPU and has no gradient. Crops must be aligned as by
    :class:`FaceIdentityDataset`; it sees the part of the crop that dlib's own alignment
    would show. It needs the package ``dlib``.

    Args:
        weights (str): The file ``dlib_face_recognition_resnet_model_v1.dat``, unpacked,
            from http://dlib.net/files/.
        margin (float): Enlargement of the face box on each side of a crop, as a
            fraction of its side. Defaults to 0.6.

    Raises:
        ImportError: If the package is not installed.
        FileNotFoundError: If the weights do not exist.
    """

    embed_dim = 128

    def __init__(self, weights: str, margin: float = 0.6) -> None:
        super().__init__()
        self.margin = margin
        try:
            import dlib
        except ImportError as error:
            raise ImportError(
                'DlibRecognizer needs the package dlib: `pip install dlib`, or the '
                'extra `mmanon[dlib]`; the build takes some minutes and needs CMake '
                'and a C++ compiler'
            ) from error
        if not Path(weights).is_file():
            raise FileNotFoundError(
                f'weights of the DlibRecognizer: {weights} does not exist; unpack '
                'http://dlib.net/files/dlib_face_recognition_resnet_model_v1.dat.bz2 '
                'and give the path of the unpacked file'
            )
        self._describe = dlib.face_recognition_model_v1(str(weights))

    @torch.no_grad()
    def embed(self, faces: Tensor) -> Tensor:
        """Describe face crops.

        Args:
            faces (Tensor): (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: (K, 128) float32, on the device of the faces.
        """
        region = _chip_region(self.margin) * faces.shape[-1]
        rows = [[index, *region.tolist()] for index in range(len(faces))]
        boxes = torch.tensor(rows, dtype=torch.float64).view(-1, 5)
        pixels = crop_faces(faces.float(), boxes, _CHIP) * 127.5 + 127.5
        chips = pixels.round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
        found = [
            np.asarray(self._describe.compute_face_descriptor(np.ascontiguousarray(c)))
            for c in chips
        ]
        embeddings = np.array(found, np.float32).reshape(-1, self.embed_dim)
        return torch.from_numpy(embeddings).to(faces.device)


def _chip_region(margin: float) -> np.ndarray:
    """The part of a crop that dlib sees, (x1, y1, x2, y2) as fractions of its side.

    Crops are aligned by ArcFace's template. This is the square in which the template's
    eyes and mouth are closest to the positions that dlib expects (least squares).
    """
    ours = (TEMPLATE[[0, 1, 3, 4]] + 0.5) / TEMPLATE_SIDE
    spread = _CHIP_POINTS - _CHIP_POINTS.mean(0)
    side = ((ours - ours.mean(0)) * spread).sum() / (spread**2).sum()
    corner = ours.mean(0) - side * _CHIP_POINTS.mean(0)
    box = np.concatenate([corner, corner + side])
    return (box + margin) / (1 + 2 * margin)
