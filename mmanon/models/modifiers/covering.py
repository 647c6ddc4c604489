"""The last check before a redrawn face is shown: has the modifier changed it?"""

import torch
from torch import Tensor

from .base import BaseModifier, LearnedModifier
from .handcrafted import SolidMaskModifier

__all__ = ['LEAST_CHANGE', 'redraw_or_cover']

LEAST_CHANGE = 0.05
"""The smallest mean absolute change of a face, on the scale [-1, 1], that counts as
redrawn; about 6 of 255 grey levels."""

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

    A learned modifier may be untrained or hardly trained, and one that starts at the
    identity does not change faces at first. A solid mask covers all faces of an
    untrained modifier, and each face that a trained one changes by less than
    :data:`LEAST_CHANGE` within the face box; changes in the margin do not count. Either
    all faces of a track are covered or none, so that the cover does not flicker. Faces
    of a hand-crafted modifier are not checked.

    The check measures how much pixels change, not recognition. A face that changes more
    may still be recognizable, as may a face of which a blending modifier keeps a part.

    Args:
        modifier (BaseModifier): M.
        faces (Tensor): RGB face crops, (K, 3, S, S) in [-1, 1].
        margin (float): Enlargement of the face box on each side of a crop, as a
            fraction of its side.
        keys (Tensor, optional): Keys as in :meth:`BaseModifier.forward`.
        tracks (Tensor, optional): The track number of each face, (K,) int64, at least
            0. Defaults to a track of its own for each face.

    Returns:
        tuple[Tensor, Tensor]: The faces to show, (K, 3, S, S), and which of them are
        covered, (K,) bool.
    """
    given = (faces,) if keys is None else (faces, keys)
    if not isinstance(modifier, LearnedModifier) or not len(faces):
        return modifier(*given), faces.new_zeros(faces.shape[0], dtype=torch.bool)
    if modifier.is_untrained:
        return _cover(faces), faces.new_ones(len(faces), dtype=torch.bool)
    drawn = modifier(*given)
    size = int(faces.shape[-1])  # an int also during the export to ONNX
    edge = min(round(size * margin / (1 + 2 * margin)), (size - 1) // 2)
    face = slice(edge, size - edge)
    change = (drawn - faces)[..., face, face].float().abs().mean((1, 2, 3))
    # "Not at least" instead of "less than": NaN is covered too.
    covered = ~(change >= LEAST_CHANGE)
    if tracks is not None:
        tracks = tracks.to(covered.device)
        each = covered.new_zeros(len(covered) and int(tracks.max()) + 1)
        covered = each.index_put((tracks[covered],), covered.new_ones(()))[tracks]
    return torch.where(covered[:, None, None, None], _cover(faces), drawn), covered
