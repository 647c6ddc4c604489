"""Converts between the pixels of a detector and those of a modifier."""

import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn

# The batch augmentations of mmdet that do not move pixels.
_PADDING = {'BatchFixedSizePad'}


class PixelRange:
    """Inverts the normalization of a detector's data preprocessor.

    Args:
        preprocessor (nn.Module): mmaction2's ``ActionDataPreprocessor`` or any
            ``ImgDataPreprocessor`` (mmdet's ``DetDataPreprocessor`` is one).

    Raises:
        TypeError: If the preprocessor is of another type.
        ValueError: If it mixes or resizes the frames of a batch.
    """

    def __init__(self, preprocessor: nn.Module) -> None:
        name = type(preprocessor).__name__
        if isinstance(preprocessor, ActionDataPreprocessor):
            mixes, swaps, decoded_rgb = 'blending', preprocessor.to_rgb, True
            moving = [
                blending for blending in [preprocessor.blending] if blending is not None
            ]
        elif isinstance(preprocessor, ImgDataPreprocessor):
            mixes, decoded_rgb = 'batch_augments', False
            swaps = preprocessor._channel_conversion
            augments = getattr(preprocessor, 'batch_augments', None) or []
            moving = [
                augment
                for augment in augments
                if type(augment).__name__ not in _PADDING
            ]
        else:
            raise TypeError(
                f'the detector normalizes frames by {name}, whose normalization cannot '
                "be inverted, so its faces cannot be redrawn; use mmaction2's "
                "ActionDataPreprocessor or mmdet's DetDataPreprocessor"
            )
        if moving:
            raise ValueError(
                f"{type(moving[0]).__name__} in `{mixes}` of the detector's {name} "
                'mixes or resizes frames after their face boxes are known; remove it '
                'from `data_preprocessor`'
            )
        # mmaction2 decodes to RGB, mmdet to BGR.
        self._rgb = decoded_rgb != bool(swaps)
        self._normalizes = preprocessor._enable_normalize
        self._preprocessor = preprocessor

    def to_faces(self, crops: Tensor) -> Tensor:
        """Convert normalized crops, (K, 3, S, S), to RGB faces in [-1, 1]."""
        mean, std = self._statistics(crops)
        faces = (crops * std + mean) / 127.5 - 1
        return self._swap(faces).clamp(-1, 1)

    def to_frames(self, faces: Tensor) -> Tensor:
        """Convert RGB faces, (K, 3, S, S) in [-1, 1], to normalized pixels."""
        mean, std = self._statistics(faces)
        return ((self._swap(faces) + 1) * 127.5 - mean) / std

    def _swap(self, pixels: Tensor) -> Tensor:
        return pixels if self._rgb else pixels.flip(1)

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor | int]:
        if not self._normalizes:
            return torch.zeros_like(like[:1, :, :1, :1]), 1
        mean, std = self._preprocessor.mean, self._preprocessor.std
        return mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)
