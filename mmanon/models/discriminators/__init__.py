from .base import BaseDiscriminator, discriminator_parts
from .base_backbone import BaseFaceBackbone
from .ensemble import DiscriminatorEnsemble
from .face_classifier import FaceClassifier
from .facenet import FaceNet
from .margin_heads import (
    ArcFaceHead,
    ASoftmaxHead,
    BaseFaceHead,
    CosFaceHead,
    CosineMarginHead,
    SoftmaxHead,
)
from .mobilefacenet import MobileFaceNet
from .sphereface import SphereFaceNet

__all__ = [
    'ASoftmaxHead',
    'ArcFaceHead',
    'BaseDiscriminator',
    'BaseFaceBackbone',
    'BaseFaceHead',
    'CosFaceHead',
    'CosineMarginHead',
    'DiscriminatorEnsemble',
    'FaceClassifier',
    'FaceNet',
    'MobileFaceNet',
    'SoftmaxHead',
    'SphereFaceNet',
    'discriminator_parts',
]
