"""The phases of the game: who learns what at an iteration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """Who learns what.

    Attributes:
        name (str): Name in logs.
        detector_sees_modified (bool): Whether the detector learns on modified frames
            or on the original ones.
        modifier_learns (str): ``'reconstruction'``, ``'game'`` or ``'nothing'``.
        discriminator_learns (str): ``'originals'``, ``'game'`` or ``'nothing'``.
    """

    name: str
    detector_sees_modified: bool
    modifier_learns: str
    discriminator_learns: str

    @property
    def needs_faces(self) -> bool:
        """Whether the phase uses face batches."""
        return (self.modifier_learns, self.discriminator_learns) != (
            'nothing',
            'nothing',
        )


WARM_UP = Phase('warm_up', False, 'reconstruction', 'originals')
JOINT = Phase('joint', True, 'game', 'game')
FINE_TUNE = Phase('fine_tune', True, 'nothing', 'nothing')


@dataclass(frozen=True)
class PhaseSchedule:
    """Which phase an iteration belongs to.

    Training warms up, plays the joint game, and fine-tunes the detector. While warming
    up, the three networks learn side by side: the detector on original frames, the
    modifier to reconstruct faces, the discriminator to name original faces. While
    fine-tuning, the modifier is frozen and the detector learns on what it redraws.

    Args:
        warm_up (int): Iterations of the warm-up. Defaults to 0.
        fine_tune (int): Iterations of the fine-tuning at the end. Defaults to 0.

    Raises:
        ValueError: When a number is negative.
    """

    warm_up: int = 0
    fine_tune: int = 0

    def __post_init__(self) -> None:
        for name in ('warm_up', 'fine_tune'):
            if getattr(self, name) < 0:
                raise ValueError(
                    f'phases.{name} must be a number of iterations, at least 0, '
                    f'got {getattr(self, name)}'
                )

    def check(self, max_iters: int) -> None:
        """Make sure that a training of ``max_iters`` iterations has room for the game.

        Raises:
            ValueError: When warm-up and fine-tuning leave no iteration for it.
        """
        if self.warm_up + self.fine_tune >= max_iters:
            raise ValueError(
                f'phases.warm_up={self.warm_up} and phases.fine_tune={self.fine_tune} '
                f'leave nothing of {max_iters} iterations for the joint game'
            )

    def at(self, done: int, left: int) -> Phase:
        """The phase of an iteration.

        Args:
            done (int): Iterations before it.
            left (int): Iterations from it on, itself among them. Where training goes on
                with another number of processes, an epoch has another number of
                iterations, and the two do not add up to what they were before.
        """
        if done < self.warm_up:
            return WARM_UP
        return FINE_TUNE if left <= self.fine_tune else JOINT
