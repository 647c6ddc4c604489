"""A modifier with weights: patches of a face, each redrawn from what surrounds it."""

from torch import Tensor, nn

from mmanon.models.modifiers import LearnedModifier
from mmanon.registry import MODELS


@MODELS.register_module()
class PatchModifier(LearnedModifier):
    """Encodes patches, mixes neighbours, and decodes them.

    Args:
        channels (int): Width of the network. Defaults to 64.
        patch (int): Side of a patch in pixels; divides the crop's side. Defaults to 4.
        init_cfg (dict, optional): As for any :class:`LearnedModifier`.
    """

    def __init__(
        self, channels: int = 64, patch: int = 4, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.body = nn.Sequential(
            nn.Conv2d(3, channels, patch, stride=patch),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(channels, 3, patch, stride=patch),
            nn.Tanh(),
        )

    def modify(self, faces: Tensor) -> Tensor:
        """Redraw at least one face, (K, 3, S, S) in [-1, 1]."""
        return self.body(faces)
