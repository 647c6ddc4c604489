"""mmengine's switches for large runs, in a runner with the game.

The runner applies ``activation_checkpointing`` and ``compile`` to its model. With the
game, the detector is one of three networks. So mmanon handles both switches and applies
them to all three, with the names that a config has without the game. Unsupported
switches are rejected before the training starts.
"""

from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from typing import Any

from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import ApexOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmanon.models.discriminators import discriminator_parts

__all__ = ['RunSwitches', 'check_optimizer', 'check_runner', 'check_wrapper']

_INSTEAD = (
    'to save memory, use `activation_checkpointing` and '
    '`optim_wrapper.type=AmpOptimWrapper`'
)


def check_runner(runner: Runner) -> None:
    """Reject runners that load checkpoints before a hook can wrap the model.

    Raises:
        ValueError: If the runner or its strategy cannot play the game.
    """
    cfg = runner.cfg
    asked = cfg.get('runner_type') or type(runner).__name__
    strategy = cfg.get('strategy')
    if not isinstance(runner, Runner) or asked != 'Runner' or strategy:
        name = asked if not strategy else f'{asked} with {strategy["type"]}'
        raise ValueError(
            f'{name} (`runner_type`, `strategy`) builds, shards and loads the model '
            'before a hook can wrap it, so AdversarialAnonymizationHook works only '
            f'with Runner: leave out both keys; {_INSTEAD}'
        )


def check_wrapper(wrapper: nn.Module) -> None:
    """Reject data-parallel wrappers that shard weights or wrap parts of the detector.

    Raises:
        ValueError: If the wrapper is not an ``MMDistributedDataParallel``.
    """
    if not isinstance(wrapper, MMDistributedDataParallel):
        raise ValueError(
            f'model_wrapper_cfg.type={type(wrapper).__name__}: M, D and A call each '
            'other with frozen weights, which a wrapper that shards weights, or '
            'wraps parts of the detector, does not allow; leave out the key, or use '
            f'MMDistributedDataParallel; {_INSTEAD}'
        )


def check_optimizer(wrapper: OptimWrapper) -> None:
    """Reject optimizer wrappers that do not work with the modifier's.

    Raises:
        ValueError: If the wrapper is one of these.
    """
    several = isinstance(wrapper, OptimWrapperDict)
    if several or not isinstance(wrapper, OptimWrapper):
        raise ValueError(
            "the detector's `optim_wrapper` must hold one optimizer, "
            f'got {type(wrapper).__name__}'
        )
    if isinstance(wrapper, ApexOptimWrapper):
        raise ValueError(
            'optim_wrapper.type=ApexOptimWrapper prepares one network and its '
            'optimizer together, but modifier and detector share a backward pass: use '
            'AmpOptimWrapper'
        )


class RunSwitches:
    """``activation_checkpointing`` and ``compile`` of a runner's config.

    They are removed from the config, so that the runner does not apply them, and put
    back after :meth:`turn_on` has applied them.

    Args:
        runner (Runner): The runner with the config.
        model (nn.Module): The :class:`AnonymizedDetector`.

    Raises:
        ValueError: If a name is not a module, or a module of the discriminator.
    """

    def __init__(self, runner: Runner, model: nn.Module) -> None:
        names = ('activation_checkpointing', 'compile')
        self._taken = {
            name: runner.cfg.pop(name) for name in names if name in runner.cfg
        }
        self._model = model
        modules = self._taken.get('activation_checkpointing') or []
        self._names = [modules] if isinstance(modules, str) else list(modules)
        self._checkpointed = [_find(model, name) for name in self._names]

    def turn_on(self, runner: Runner) -> None:
        """Apply both switches; weights keep their names."""
        for module in self._checkpointed:
            # mmengine's version needs inputs with gradients; without them, layers
            # inside would not learn. Clips in the warm-up have no gradients.
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)
        if self._names:
            _say(f'activation checkpointing in {", ".join(self._names)}')
        options = self._taken.get('compile')
        if options:
            parts = dict(_networks(self._model))
            for part in parts.values():
                part.compile(**({} if options is True else options))
            _say(
                f'compiled: {", ".join(parts)}; the first iterations are slow. Crop '
                'and paste, heads and losses are not compiled'
            )
        runner.cfg.update(self._taken)
        self._taken, self._names, self._checkpointed = {}, [], []


def _find(model: Any, name: str) -> nn.Module:
    """Find a module by its name in the detector, or by a name from ``modifier`` on."""
    if name.split('.')[0] == 'discriminator':
        raise ValueError(
            f"activation_checkpointing names '{name}': the discriminator is frozen "
            'when M uses it, and would be recomputed with other weights; leave it out'
        )
    owner = model if name.split('.')[0] == 'modifier' else model.detector
    try:
        module = attrgetter(name)(owner)
    except AttributeError:
        module = None
    if not isinstance(module, nn.Module):
        children = [child for child, _ in model.detector.named_children()]
        raise ValueError(
            f"activation_checkpointing names '{name}', which is not a module of the "
            f'{type(model.detector).__name__}: name its modules, such as {children}, '
            "or those of the modifier, such as 'modifier.body'"
        )
    return module


def _networks(model: Any) -> Iterator[tuple[str, nn.Module]]:
    """Yield modules that map tensors to tensors, with their names in the model."""
    yield 'modifier', model.modifier
    for name, learner in discriminator_parts(model.discriminator).items():
        backbone = getattr(learner, 'backbone', None)
        if isinstance(backbone, nn.Module):
            yield f'{name}.backbone', backbone
    found = [
        (f'detector.{name}', part)
        for name in ('backbone', 'neck')
        if isinstance(part := getattr(model.detector, name, None), nn.Module)
    ]
    yield from found or [('detector', model.detector)]


def _say(text: str) -> None:
    print_log(text, logger='current')
