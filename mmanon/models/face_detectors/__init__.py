from .base import BaseFaceDetector, FaceDetections
from .mtcnn import MTCNNFaceDetector
from .yunet import YuNetFaceDetector

__all__ = [
    'BaseFaceDetector',
    'FaceDetections',
    'MTCNNFaceDetector',
    'YuNetFaceDetector',
]
