"""An attacker without weights: who wears the same colours is the same person."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmanon.registry import MODELS


@MODELS.register_module()
class ColourRecognizer(BaseModule):
    """Embeds a face as the colours of its cells.

    Args:
        cells (int): Cells along a side. Defaults to 4.
        margin (float): By how much of its side the face box in a crop was enlarged on
            each side; the metric sets it. Defaults to 0.6.
    """

    def __init__(self, cells: int = 4, margin: float = 0.6) -> None:
        super().__init__()
        self.cells = cells
        self.margin = margin

    @torch.no_grad()
    def embed(self, faces: Tensor) -> Tensor:
        """Embed faces, (K, 3, S, S) in [-1, 1], as (K, 3 * cells²)."""
        side = faces.shape[-1]
        first = round(side * self.margin / (1 + 2 * self.margin))
        box = faces[..., first : side - first, first : side - first]
        cells = torch.nn.functional.adaptive_avg_pool2d(box, self.cells)
        return cells.flatten(1)
