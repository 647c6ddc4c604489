"""An attacker that sees only the surroundings of the face."""

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from mmanon.models.layers.face_views import FaceView
from mmanon.registry import MODELS


@MODELS.register_module()
class MarginPixelRecognizer(BaseModule):
    """Compares the pixels outside the face box; it has no weights.

    People whom it can identify are not hidden, however the face is modified. It needs a
    view with a margin, ``'crop'`` or ``'head'``.

    Args:
        size (int): Side in pixels to which images are shrunk. Defaults to 32.
        margin (float): Enlargement of the face box on each side of the images, as a
            fraction of its side. Defaults to 0.6.

    Raises:
        ValueError: If no pixel is outside the face box.
    """

    view = 'crop'

    def __init__(self, size: int = 32, margin: float = 0.6) -> None:
        super().__init__()
        edge = round(size * margin / (1 + 2 * margin))
        if edge < 1:
            raise ValueError(
                f'images of {size} pixels with the margin {margin} have no pixel '
                "outside the face box: give a view with a margin, 'crop' or "
                "'head', or a larger `size`"
            )
        self.size = size
        self.margin = margin
        outside = torch.ones(size, size, dtype=torch.bool)
        outside[edge : size - edge, edge : size - edge] = False
        self.register_buffer('outside', outside, persistent=False)

    @staticmethod
    def margin_in(view: FaceView) -> float:
        """Return the margin that a metric gives it: the margin of the images.

        Raises:
            ValueError: If the view shows the face box alone.
        """
        if view.name == 'face':
            raise ValueError(
                "the view 'face' shows no margin; give the MarginPixelRecognizer "
                "the view 'crop' or 'head'"
            )
        return view.image_margin

    @torch.no_grad()
    def embed(self, faces: Tensor) -> Tensor:
        """Return the pixels of the margin, minus the mean of each colour channel.

        The cosine of two results is the normalized cross-correlation.

        Args:
            faces (Tensor): (K, 3, P, P) in [-1, 1].

        Returns:
            Tensor: (K, E).
        """
        small = adaptive_avg_pool2d(faces.float(), self.size)
        pixels = small[:, :, self.outside]
        contrasts = pixels - pixels.mean(2, keepdim=True)
        # Rounded, so that a margin of one colour gives exactly zero.
        return contrasts.round(decimals=4).flatten(1)
