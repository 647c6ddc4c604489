"""The attacker that looks at nothing but what is around the face."""

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from mmanon.models.layers.face_views import FaceView
from mmanon.registry import MODELS


@MODELS.register_module()
class MarginPixelRecognizer(BaseModule):
    """Compares the pixels outside of the face box: a nearest neighbour, no weights.

    People that it can identify are not hidden, whatever happens to the face. It needs a
    view with a margin, ``'crop'`` or ``'head'``.

    Args:
        size (int): Side in pixels that images are shrunk to. Defaults to 32.
        margin (float): By how much of its side the face box is enlarged in the images
            that it is shown. Defaults to 0.6.

    Raises:
        ValueError: When there is no pixel outside of the face box.
    """

    view = 'crop'

    def __init__(self, size: int = 32, margin: float = 0.6) -> None:
        super().__init__()
        edge = round(size * margin / (1 + 2 * margin))
        if edge < 1:
            raise ValueError(
                f'images of {size} pixels with the margin {margin} have no pixel '
                "outside of the face box: give a view with a margin, 'crop' or "
                "'head', or a larger `size`"
            )
        self.size = size
        self.margin = margin
        outside = torch.ones(size, size, dtype=torch.bool)
        outside[edge : size - edge, edge : size - edge] = False
        self.register_buffer('outside', outside, persistent=False)

    @staticmethod
    def margin_in(view: FaceView) -> float:
        """The margin that a metric gives it: the true one of the images.

        Raises:
            ValueError: When the view shows the face box alone.
        """
        if view.name == 'face':
            raise ValueError(
                "the view 'face' shows no margin; give the MarginPixelRecognizer "
                "the view 'crop' or 'head'"
            )
        return view.image_margin

    @torch.no_grad()
    def embed(self, faces: Tensor) -> Tensor:
        """Take the pixels of the margin, less the mean of each colour.

        Their cosine is the normalized cross-correlation.

        Args:
            faces (Tensor): (K, 3, P, P) in [-1, 1].

        Returns:
            Tensor: (K, E).
        """
        small = adaptive_avg_pool2d(faces.float(), self.size)
        pixels = small[:, :, self.outside]
        contrasts = pixels - pixels.mean(2, keepdim=True)
        # Of one colour nothing is left, not even its last bits.
        return contrasts.round(decimals=4).flatten(1)
