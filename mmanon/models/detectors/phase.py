"""The phases of the game: which network learns what in an iteration."""

from dataclasses import dataclass

from mmanon._moved import renamed

__all__ = ['CATCH_UP', 'FINE_TUNE', 'JOINT', 'WARM_UP', 'Phase']


def __getattr__(name: str) -> object:
    return renamed(__name__, name)


@dataclass(frozen=True)
class Phase:
    """A phase of the game.

    Attributes:
        name (str): Name in logs.
        detector_sees_modified (bool): Whether the detector learns on modified frames
            (otherwise on original ones).
        modifier_learns (str): ``'reconstruction'``, ``'game'`` or ``'nothing'``.
        discriminator_learns (str): ``'originals'`` for original faces only, ``'game'``
            for original and modified ones, or ``'nothing'``.
        detector_learns (bool): Whether the detector learns at all. Defaults to True.
    """

    name: str
    detector_sees_modified: bool
    modifier_learns: str
    discriminator_learns: str
    detector_learns: bool = True

    @property
    def needs_faces(self) -> bool:
        """Whether the phase uses face batches."""
        return (self.modifier_learns, self.discriminator_learns) != (
            'nothing',
            'nothing',
        )


WARM_UP = Phase('warm_up', False, 'reconstruction', 'originals')
JOINT = Phase('joint', True, 'game', 'game')
CATCH_UP = Phase('catch_up', True, 'nothing', 'game', detector_learns=False)
FINE_TUNE = Phase('fine_tune', True, 'nothing', 'nothing')
