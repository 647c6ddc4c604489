from .attack_metric import AttackMetric
from .discriminator_metric import DiscriminatorMetric
from .face_attribute_metric import FaceAttributeMetric
from .face_kept_metric import FaceKeptMetric
from .face_metric import FaceMetric, build_faces, prepare_face_metrics
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
    'AttackMetric',
    'DiscriminatorMetric',
    'FaceAttributeMetric',
    'FaceIdentificationMetric',
    'FaceKeptMetric',
    'FaceMetric',
    'FaceQualityMetric',
    'FaceVerificationMetric',
    'FrameMAPMetric',
    'RecognitionMetric',
    'VideoMAPMetric',
    'build_faces',
    'load_recognizer',
    'prepare_face_metrics',
]
