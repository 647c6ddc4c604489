from .adversarial_anonymization_hook import AdversarialAnonymizationHook
from .face_picture_hook import FacePictureHook

__all__ = ['AdversarialAnonymizationHook', 'FacePictureHook']
