"""A modifier without weights: a mosaic of grey squares."""

import torch.nn.functional as F
from torch import Tensor

from mmanon.models.modifiers import BaseModifier
from mmanon.registry import MODELS


@MODELS.register_module()
class GreyMosaicModifier(BaseModifier):
    """Shows faces as a mosaic without colour.

    Args:
        blocks (int): Squares along a side. Defaults to 6.
    """

    def __init__(self, blocks: int = 6) -> None:
        super().__init__()
        self.blocks = blocks

    def modify(self, faces: Tensor) -> Tensor:
        """Draw the mosaic of at least one face, (K, 3, S, S) in [-1, 1]."""
        grey = faces.mean(1, keepdim=True)
        small = F.adaptive_avg_pool2d(grey, self.blocks)
        large = F.interpolate(small, size=faces.shape[-2:], mode='nearest-exact')
        return large.expand_as(faces)
