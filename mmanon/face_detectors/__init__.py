from .base import BaseFaceDetector, FaceDetections
from .combined import CombinedFaceDetector
from .mtcnn import MTCNNFaceDetector
from .yunet import YuNetFaceDetector

__all__ = [
    'BaseFaceDetector',
    'CombinedFaceDetector',
    'FaceDetections',
    'MTCNNFaceDetector',
    'YuNetFaceDetector',
]
