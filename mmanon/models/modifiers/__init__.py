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
from .inpainting_modifier import InpaintingModifier
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
    'InpaintingModifier',
    'LearnedModifier',
    'PixelateModifier',
    'ResNetModifier',
    'SolidMaskModifier',
    'SuperPixelModifier',
    'UNetModifier',
]
