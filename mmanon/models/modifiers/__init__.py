from .base import BaseModifier, LearnedModifier
from .bottleneck_modifier import BottleneckModifier
from .handcrafted import (
    DownsampleModifier,
    EdgeMapModifier,
    GaussianBlurModifier,
    GaussianNoiseModifier,
    IdentityModifier,
    PixelateModifier,
    SolidMaskModifier,
    SuperPixelModifier,
)
from .resnet_modifier import ResNetModifier
from .unet_modifier import UNetModifier

__all__ = [
    'BaseModifier',
    'BottleneckModifier',
    'DownsampleModifier',
    'EdgeMapModifier',
    'GaussianBlurModifier',
    'GaussianNoiseModifier',
    'IdentityModifier',
    'LearnedModifier',
    'PixelateModifier',
    'ResNetModifier',
    'SolidMaskModifier',
    'SuperPixelModifier',
    'UNetModifier',
]
