from .face_metric import FaceMetric, prepare_face_metrics
from .face_quality_metric import FaceQualityMetric
from .frame_map_metric import FrameMAPMetric
from .recognition_metrics import (
    MATCHINGS,
    FaceIdentificationMetric,
    FaceVerificationMetric,
    RecognitionMetric,
    load_recognizer,
)
from .video_map_metric import VideoMAPMetric

__all__ = [
    'MATCHINGS',
    'FaceIdentificationMetric',
    'FaceMetric',
    'FaceQualityMetric',
    'FaceVerificationMetric',
    'FrameMAPMetric',
    'RecognitionMetric',
    'VideoMAPMetric',
    'load_recognizer',
    'prepare_face_metrics',
]
