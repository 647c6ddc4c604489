from .adversarial_anonymization_hook import AdversarialAnonymizationHook
from .face_picture_hook import FacePictureHook
from .head_picture_hook import HeadPictureHook
from .save_on_interrupt_hook import SaveOnInterruptHook
from .validate_first_hook import ValidateFirstHook

__all__ = [
    'AdversarialAnonymizationHook',
    'FacePictureHook',
    'HeadPictureHook',
    'SaveOnInterruptHook',
    'ValidateFirstHook',
]
