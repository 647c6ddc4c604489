from .base import BaseFaceDetector, FaceDetections
from .build import build_face_detector
from .centerface import CenterFaceDetector
from .combined import CombinedFaceDetector
from .mtcnn import MTCNNFaceDetector
from .yunet import YuNetFaceDetector

__all__ = [
    'BaseFaceDetector',
    'CenterFaceDetector',
    'CombinedFaceDetector',
    'FaceDetections',
    'MTCNNFaceDetector',
    'YuNetFaceDetector',
    'build_face_detector',
]
