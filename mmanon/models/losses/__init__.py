from .adversarial import (
    AdversarialLoss,
    EmbeddingSimilarityLoss,
    NegatedClassifierLoss,
    UniformTargetLoss,
)
from .structure import AverageFaceLoss

__all__ = [
    'AdversarialLoss',
    'AverageFaceLoss',
    'EmbeddingSimilarityLoss',
    'NegatedClassifierLoss',
    'UniformTargetLoss',
]
