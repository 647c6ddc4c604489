from .adversarial import (
    AdversarialLoss,
    EmbeddingSimilarityLoss,
    NegatedClassifierLoss,
    UniformTargetLoss,
)

__all__ = [
    'AdversarialLoss',
    'EmbeddingSimilarityLoss',
    'NegatedClassifierLoss',
    'UniformTargetLoss',
]
