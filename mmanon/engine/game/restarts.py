"""Restarts of a discriminator during the game."""

from __future__ import annotations

from collections.abc import Callable

import torch
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from mmanon.engine.seeding import mix_seeds, seed_of_all
from mmanon.models.discriminators import discriminator_parts

__all__ = ['check_restarts', 'restart_discriminator']


def check_restarts(discriminator: nn.Module | None, has_faces: bool) -> None:
    """Check that all parts of D learn and can restart.

    Args:
        discriminator (nn.Module, optional): D.
        has_faces (bool): Whether there are faces to learn from.

    Raises:
        ValueError: If D does not learn, or a part of it cannot restart.
    """
    parts = discriminator_parts(discriminator)
    if not parts or not has_faces:
        raise ValueError(
            'phases.restart restarts discriminators, but none learns here: give '
            '`discriminator` and `faces`, or leave it out'
        )
    for part in parts.values():
        if not hasattr(part, 'start_anew'):
            raise ValueError(
                f'phases.restart: {type(part).__name__} has no method `start_anew`, '
                'which restores its initial weights: add it, or leave out restart'
            )


def restart_discriminator(runner: Runner, count: int) -> None:
    """Restart the next part of D: reset its weights and its optimizer's state.

    The new weights depend only on the seed of the run and the iteration, so they are
    the same in a resumed training and in all processes.

    Args:
        runner (Runner): Its model is an :class:`AnonymizedDetector` with a D.
        count (int): Number of earlier restarts.
    """
    parts = list(discriminator_parts(runner.model.discriminator).items())
    name, part = parts[count % len(parts)]
    start_anew: Callable[[], None] = part.start_anew  # type: ignore[assignment]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix_seeds(seed_of_all(runner.seed), runner.iter))
        start_anew()
    wrapper = runner.optim_wrapper[name]
    wrapper.zero_grad()
    wrapper.optimizer.state.clear()
    print_log(f'{name} restarts', logger='current')
