from .adversarial import (
    AdversarialLoss,
    AdversarialLossSum,
    EmbeddingSimilarityLoss,
    NegatedClassifierLoss,
    UniformTargetLoss,
)
from .structure import AverageFaceLoss

__all__ = [
    'AdversarialLoss',
    'AdversarialLossSum',
    'AverageFaceLoss',
    'EmbeddingSimilarityLoss',
    'NegatedClassifierLoss',
    'UniformTargetLoss',
]
