"""mmengine's switches for large runs, with the game in the runner.

The runner turns on ``activation_checkpointing`` and ``compile`` for the model that it
was given. By then the detector is one of three networks, so mmanon handles both
switches and applies them to all three, under the names that the config would use
without the game. Unsupported switches are rejected before the training starts.
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
    'a network that does not fit into memory takes less of it by '
    '`activation_checkpointing` and `optim_wrapper.type=AmpOptimWrapper`'
)


def check_runner(runner: Runner) -> None:
    """Refuse runners that have loaded checkpoints before a hook can wrap the model.

    Raises:
        ValueError: When the runner or its strategy cannot play the game.
    """
    cfg = runner.cfg
    asked = cfg.get('runner_type') or type(runner).__name__
    strategy = cfg.get('strategy')
    if not isinstance(runner, Runner) or asked != 'Runner' or strategy:
        name = asked if not strategy else f'{asked} with {strategy["type"]}'
        raise ValueError(
            f'{name} (`runner_type`, `strategy`) builds, shards and loads the model '
            'before a hook can put it into the game, so AdversarialAnonymizationHook '
            f'plays with Runner alone: leave both keys out; {_INSTEAD}'
        )


def check_wrapper(wrapper: nn.Module) -> None:
    """Refuse data-parallel wrappers of a detector whose weights others cannot reach.

    Raises:
        ValueError: When the wrapper shards weights or wraps parts of the detector.
    """
    if not isinstance(wrapper, MMDistributedDataParallel):
        raise ValueError(
            f'model_wrapper_cfg.type={type(wrapper).__name__}: M, D and A call each '
            'other with weights held still, which a wrapper that shards weights, or '
            'wraps parts of the detector, does not allow; take the key out, or say '
            f'MMDistributedDataParallel; {_INSTEAD}'
        )


def check_optimizer(wrapper: OptimWrapper) -> None:
    """Reject optimizer wrappers that do not work with the modifier's.

    Raises:
        ValueError: When the wrapper is of such a kind.
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
            'optimizer together, and modifier and detector share a backward pass: say '
            'AmpOptimWrapper'
        )


class RunSwitches:
    """``activation_checkpointing`` and ``compile`` of a runner's config.

    They are taken from the config, so that the runner does not act on them, and given
    back when they are in force.

    Args:
        runner (Runner): Whose config is read.
        model (nn.Module): The :class:`AnonymizedDetector`.

    Raises:
        ValueError: When a name is no module, or one of the discriminator's.
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
        """Put both in force; weights keep their names."""
        for module in self._checkpointed:
            # mmengine's own asks for inputs with gradients, and lets what comes before
            # the first weights learn nothing without: clips have none while warming up.
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)
        if self._names:
            _say(f'activations are computed anew in {", ".join(self._names)}')
        options = self._taken.get('compile')
        if options:
            parts = dict(_networks(self._model))
            for part in parts.values():
                part.compile(**({} if options is True else options))
            _say(
                f'compiled: {", ".join(parts)}; the first iterations are slow. Crop '
                'and paste, heads and losses run as they are'
            )
        runner.cfg.update(self._taken)
        self._taken, self._names, self._checkpointed = {}, [], []


def _find(model: Any, name: str) -> nn.Module:
    """A module by the detector's own names, or from ``modifier`` on."""
    if name.split('.')[0] == 'discriminator':
        raise ValueError(
            f"activation_checkpointing names '{name}': the discriminator answers with "
            'its weights held still, and would compute anew with others; leave it out'
        )
    owner = model if name.split('.')[0] == 'modifier' else model.detector
    try:
        module = attrgetter(name)(owner)
    except AttributeError:
        module = None
    if not isinstance(module, nn.Module):
        children = [child for child, _ in model.detector.named_children()]
        raise ValueError(
            f"activation_checkpointing names '{name}', which is no module of the "
            f'{type(model.detector).__name__}: name some of it, such as {children}, or '
            "of the modifier, such as 'modifier.body'"
        )
    return module


def _networks(model: Any) -> Iterator[tuple[str, nn.Module]]:
    """Modules that map tensors to tensors, by their names in the model."""
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
