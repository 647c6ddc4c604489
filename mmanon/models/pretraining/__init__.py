from .inpainting_pretraining import InpaintingPretraining

__all__ = ['InpaintingPretraining']
