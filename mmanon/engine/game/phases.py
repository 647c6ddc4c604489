"""The schedule of the phases of the game."""

from dataclasses import dataclass

from mmengine.runner import BaseLoop

from mmanon.models.detectors.phase import CATCH_UP, FINE_TUNE, JOINT, WARM_UP, Phase

__all__ = ['PhaseSchedule', 'iterations_left']


@dataclass(frozen=True)
class PhaseSchedule:
    """Determines the phase of each iteration.

    A training consists of the warm-up, the joint game and the fine-tuning of the
    detector. In the warm-up the three networks learn independently: the detector on
    original frames, the modifier to reconstruct faces, and the discriminator to name
    original faces. In the fine-tuning the modifier is frozen, and the detector learns
    on modified frames.

    From time to time a discriminator restarts; several discriminators take turns. At
    first it can identify nobody, and the modifier would learn nothing from it. So for
    some iterations only the discriminator learns, while modifier and detector rest.

    Args:
        warm_up (int): Iterations of the warm-up. Defaults to 0.
        fine_tune (int): Iterations of the fine-tuning at the end. Defaults to 0.
        restart (int): Number of iterations of the game after which a discriminator
            restarts, repeatedly; 0 for never. A discriminator that would not play again
            before the fine-tuning does not restart. Defaults to 0.
        catch_up (int): Iterations after a restart in which only the discriminator
            learns. Defaults to 0.

    Raises:
        ValueError: If a number is negative, or ``catch_up`` is not less than
            ``restart``.
    """

    warm_up: int = 0
    fine_tune: int = 0
    restart: int = 0
    catch_up: int = 0

    def __post_init__(self) -> None:
        for name in ('warm_up', 'fine_tune', 'restart', 'catch_up'):
            if getattr(self, name) < 0:
                raise ValueError(
                    f'phases.{name} must be a number of iterations, at least 0, '
                    f'got {getattr(self, name)}'
                )
        if self.catch_up and self.catch_up >= self.restart:
            raise ValueError(
                f'phases.catch_up={self.catch_up} must be less than '
                f'phases.restart={self.restart}: a discriminator catches up after each '
                'restart, and M learns only from then until the next restart'
            )

    def check(self, max_iters: int) -> None:
        """Check that ``max_iters`` iterations are enough for a joint game.

        Raises:
            ValueError: If warm-up and fine-tuning leave no iteration for it.
        """
        if self.warm_up + self.fine_tune >= max_iters:
            raise ValueError(
                f'phases.warm_up={self.warm_up} and phases.fine_tune={self.fine_tune} '
                f'leave none of {max_iters} iterations for the joint game'
            )

    def at(self, done: int, left: int) -> Phase:
        """Return the phase of an iteration.

        Args:
            done (int): Number of iterations before it.
            left (int): Number of remaining iterations, including itself. If a training
                resumes with another number of processes, epochs have another number of
                iterations, so the sum of both changes.
        """
        if done < self.warm_up:
            return WARM_UP
        if left <= self.fine_tune:
            return FINE_TUNE
        since = self._since_restart(done, left)
        return JOINT if since is None or since >= self.catch_up else CATCH_UP

    def restart_at(self, done: int, left: int) -> int | None:
        """Return the number of the restart at an iteration, from 0, or None.

        Args:
            done (int), left (int): As in :meth:`at`.
        """
        if done < self.warm_up or self._since_restart(done, left) != 0:
            return None
        return (done - self.warm_up) // self.restart - 1

    def rests(self, done: int, total: int) -> int:
        """Count the iterations in which modifier and detector rest.

        Args:
            done (int): Number of first iterations among which to count.
            total (int): Number of iterations of the training.
        """
        if not self.catch_up:
            return 0
        return sum(self.at(now, total - now) is CATCH_UP for now in range(done))

    def _since_restart(self, done: int, left: int) -> int | None:
        """Return the iterations since the last restart; None if there was none."""
        played = done - self.warm_up
        if not self.restart or played < self.restart:
            return None
        since = played % self.restart
        useful = left + since - self.fine_tune > self.catch_up
        return since if useful else None


def iterations_left(loop: BaseLoop, batch_idx: int = 0) -> int:
    """Return the number of remaining iterations of a training.

    All remaining epochs have the current number of iterations. Earlier epochs may have
    had another number, with another number of processes.

    Args:
        loop (BaseLoop): A training loop by epochs or by iterations.
        batch_idx (int): Index of the current batch among those that the loader yields
            in this epoch. Defaults to 0.
    """
    if hasattr(loop, 'dataloader_iterator'):
        return loop.max_iters - loop.iter
    loader = loop.dataloader
    # Batches that an interrupted training has already done in this epoch.
    done = getattr(loader.batch_sampler, 'done', 0)
    return (loop.max_epochs - loop.epoch) * len(loader) - done - batch_idx
