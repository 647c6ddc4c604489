"""The last guard before a redrawn face is shown: what a modifier let through."""

import torch
from torch import Tensor

from .base import BaseModifier, LearnedModifier
from .handcrafted import SolidMaskModifier

__all__ = ['LEAST_CHANGE', 'redraw_or_cover']

LEAST_CHANGE = 0.05
"""Mean absolute change of a face on the scale [-1, 1], about 6 of 255 grey levels,
under which a learned modifier has hardly touched it."""

_cover = SolidMaskModifier()


@torch.no_grad()
def redraw_or_cover(
    modifier: BaseModifier,
    faces: Tensor,
    margin: float,
    keys: Tensor | None = None,
    tracks: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Redraw faces for viewers, and cover those that would stay nearly unchanged.

    A learned modifier may have no trained weights, or hardly trained ones: a modifier
    that starts at the identity does not change faces at first. All faces of an
    untrained modifier are covered by a solid mask, as is each face that a trained one
    changes by less than :data:`LEAST_CHANGE` within the face box, whatever it does to
    the margin. Along a track all faces are covered or none, so that a cover does not
    flicker. Faces of a hand-crafted modifier are not checked.

    This measures the change of pixels, not recognition: a face that changed more may
    still be recognized, and so may a face of which a blending modifier keeps a part.

    Args:
        modifier (BaseModifier): M.
        faces (Tensor): RGB face crops, (K, 3, S, S) in [-1, 1].
        margin (float): By how much of its side the face box was enlarged on each side.
        keys (Tensor, optional): As of :meth:`BaseModifier.forward`.
        tracks (Tensor, optional): Which faces belong together, (K,) int64, at least 0:
            the same number along a track. Defaults to none.

    Returns:
        tuple[Tensor, Tensor]: The faces to show, and which were covered, (K,) bool.
    """
    given = (faces,) if keys is None else (faces, keys)
    if not isinstance(modifier, LearnedModifier) or not len(faces):
        return modifier(*given), faces.new_zeros(faces.shape[0], dtype=torch.bool)
    if modifier.is_untrained:
        return _cover(faces), faces.new_ones(len(faces), dtype=torch.bool)
    drawn = modifier(*given)
    size = int(faces.shape[-1])  # also while it is exported to ONNX
    edge = min(round(size * margin / (1 + 2 * margin)), (size - 1) // 2)
    face = slice(edge, size - edge)
    change = (drawn - faces)[..., face, face].float().abs().mean((1, 2, 3))
    # Written so that a change that is not a number is covered too.
    covered = ~(change >= LEAST_CHANGE)
    if tracks is not None:
        tracks = tracks.to(covered.device)
        each = covered.new_zeros(len(covered) and int(tracks.max()) + 1)
        covered = each.index_put((tracks[covered],), covered.new_ones(()))[tracks]
    return torch.where(covered[:, None, None, None], _cover(faces), drawn), covered
