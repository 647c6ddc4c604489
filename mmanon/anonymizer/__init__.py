from .inferencer import AnonymizerInferencer, Outcome

__all__ = ['AnonymizerInferencer', 'Outcome']
