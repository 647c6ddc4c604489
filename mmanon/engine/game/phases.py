"""When each phase of the game is played."""

from dataclasses import dataclass

from mmengine.runner import BaseLoop

from mmanon.models.detectors.phase import FINE_TUNE, JOINT, WARM_UP, Phase

__all__ = ['PhaseSchedule', 'iterations_left']


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


def iterations_left(loop: BaseLoop, batch_idx: int = 0) -> int:
    """Iterations of a training to come, from a batch of the epoch on.

    An epoch's are counted as it has them now: a training that goes on with another
    number of processes has done another number of them before.

    Args:
        loop (BaseLoop): Of epochs or of iterations.
        batch_idx (int): Which batch of those that the epoch still has. Defaults to 0.
    """
    if hasattr(loop, 'dataloader_iterator'):
        return loop.max_iters - loop.iter
    loader = loop.dataloader
    # Of a training that was stopped within this epoch.
    done = getattr(loader.batch_sampler, 'done', 0)
    return (loop.max_epochs - loop.epoch) * len(loader) - done - batch_idx
