from .adversarial import (
    AdversarialLoss,
    AdversarialLossSum,
    EmbeddingSimilarityLoss,
    NegatedClassifierLoss,
    UniformTargetLoss,
)
from .structure import AverageFaceLoss, PerceptualLoss
from .temporal import FlickerLoss

__all__ = [
    'AdversarialLoss',
    'AdversarialLossSum',
    'AverageFaceLoss',
    'EmbeddingSimilarityLoss',
    'FlickerLoss',
    'NegatedClassifierLoss',
    'PerceptualLoss',
    'UniformTargetLoss',
]
