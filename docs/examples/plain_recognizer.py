"""A discriminator of one's own: a backbone that embeds, and a margin to learn under."""

from torch import Tensor, nn

from mmanon.models.discriminators import BaseFaceBackbone, CosineMarginHead
from mmanon.registry import MODELS


@MODELS.register_module()
class PlainFaceNet(BaseFaceBackbone):
    """Four convolutions and a linear layer.

    Args:
        embed_dim (int): E. Defaults to 64.
        init_cfg (dict, optional): As for any :class:`BaseFaceBackbone`.
    """

    def __init__(self, embed_dim: int = 64, init_cfg: dict | None = None) -> None:
        super().__init__(
            input_size=(64, 64),
            embed_dim=embed_dim,
            mean=[127.5] * 3,
            std=[127.5] * 3,
            init_cfg=init_cfg,
        )
        layers: list[nn.Module] = []
        for before, after in ((3, 16), (16, 32), (32, 64), (64, 64)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.PReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, embed_dim))

    def extract(self, faces: Tensor) -> Tensor:
        """Embed normalized faces, (K, 3, 64, 64), as (K, E)."""
        return self.body(faces)


@MODELS.register_module()
class RelativeMarginHead(CosineMarginHead):
    """Shrinks the right person's cosine by a share of what it lacks to -1.

    Args:
        num_classes (int): I.
        embed_dim (int): E.
        share (float): In [0, 1). Defaults to 0.2.
    """

    def __init__(self, num_classes: int, embed_dim: int, share: float = 0.2) -> None:
        super().__init__(num_classes, embed_dim)
        self.share = share

    def scale(self, embeddings: Tensor) -> float:
        """What cosines are multiplied by."""
        return 30.0

    def penalize(self, cosine: Tensor) -> Tensor:
        """Never larger than the cosine, in [-1, 1]."""
        return cosine - self.share * (cosine + 1)
