"""When each phase of the game is played."""

from dataclasses import dataclass

from mmengine.runner import BaseLoop

from mmanon.models.detectors.phase import CATCH_UP, FINE_TUNE, JOINT, WARM_UP, Phase

__all__ = ['PhaseSchedule', 'iterations_left']


@dataclass(frozen=True)
class PhaseSchedule:
    """Which phase an iteration belongs to.

    Training warms up, plays the joint game, and fine-tunes the detector. While warming
    up, the three networks learn side by side: the detector on original frames, the
    modifier to reconstruct faces, the discriminator to name original faces. While
    fine-tuning, the modifier is frozen and the detector learns on what it redraws.

    From time to time a discriminator restarts, of several the next one in turn. At
    first it can identify nobody, and the modifier would learn nothing from it: for some
    iterations only the discriminator learns, while modifier and detector rest.

    Args:
        warm_up (int): Iterations of the warm-up. Defaults to 0.
        fine_tune (int): Iterations of the fine-tuning at the end. Defaults to 0.
        restart (int): Number of iterations of the game after which a discriminator
            restarts, repeatedly; 0 for never. A discriminator that would not play again
            before the fine-tuning does not restart. Defaults to 0.
        catch_up (int): Iterations after a restart in which only the discriminator
            learns. Defaults to 0.

    Raises:
        ValueError: When a number is negative, or nothing is left between catching up
            and the next start.
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
                f'phases.restart={self.restart}: a discriminator catches up after it '
                'has started anew, and M learns until the next start'
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
            left (int): Iterations from it on, including itself. After resuming with
                another number of processes, an epoch has another number of iterations,
                so the sum of both changes.
        """
        if done < self.warm_up:
            return WARM_UP
        if left <= self.fine_tune:
            return FINE_TUNE
        since = self._since_restart(done, left)
        return JOINT if since is None or since >= self.catch_up else CATCH_UP

    def restart_at(self, done: int, left: int) -> int | None:
        """Which restart an iteration begins with, counted from 0; mostly None.

        Args:
            done (int), left (int): As of :meth:`at`.
        """
        if done < self.warm_up or self._since_restart(done, left) != 0:
            return None
        return (done - self.warm_up) // self.restart - 1

    def rests(self, done: int, total: int) -> int:
        """Iterations among the first in which modifier and detector rest.

        Args:
            done (int): How many are looked at.
            total (int): Iterations of the training.
        """
        if not self.catch_up:
            return 0
        return sum(self.at(now, total - now) is CATCH_UP for now in range(done))

    def _since_restart(self, done: int, left: int) -> int | None:
        """Iterations since the last restart; None where there has been none."""
        played = done - self.warm_up
        if not self.restart or played < self.restart:
            return None
        since = played % self.restart
        useful = left + since - self.fine_tune > self.catch_up
        return since if useful else None


def iterations_left(loop: BaseLoop, batch_idx: int = 0) -> int:
    """Iterations of a training to come, from a batch of the epoch on.

    Iterations of an epoch are counted as they are now: after resuming with another
    number of processes, earlier epochs had another number of them.

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
