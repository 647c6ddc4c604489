from .base_backbone import BaseFaceBackbone
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
    'BaseFaceBackbone',
    'BaseFaceHead',
    'CosFaceHead',
    'CosineMarginHead',
    'FaceClassifier',
    'FaceNet',
    'MobileFaceNet',
    'SoftmaxHead',
    'SphereFaceNet',
]
