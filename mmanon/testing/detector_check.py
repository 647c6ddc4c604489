"""Check that a detector's own config trains and predicts in the game."""

import copy
import gc
import multiprocessing.dummy
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from unittest.mock import patch

import torch
from mmaction.evaluation.functional import ava_utils
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmanon.models.detectors import AnonymizedDetector
from mmanon.models.weight_files import (
    DETECTOR,
    extract_part,
    load_weights,
    save_weights,
)

from .made_up_data import write_made_up_data, write_made_up_people
from .shrink import shrink, shrink_widths
from .zoo import read_config, two_line_config

STAGES = ('builds', 'joint step', 'prediction', 'checkpoint round trip')
NETWORKS = ('detector', 'modifier', 'discriminator')
_CROP_SIZE = 32
_numbers = count()


class DetectorCheck:
    """Runs a shrunk detector with the hook on made-up data, stage by stage.

    Everything runs as in ``mmanon train`` and ``mmanon test``, with the config's own
    data sets, pipelines, optimizer, loop and metrics. :func:`shrink` says what is
    changed; in addition, training takes one iteration.

    Args:
        detector (str): Config of a detector, as in ``_base_``, or its file. A config
            that already has the hook is not extended.
        anonymizer (str or Path): Config of the anonymizer, which is added to a config
            without the hook.
        work_dir (str or Path): Folder for data, logs and checkpoints.
    """

    def __init__(
        self, detector: str, anonymizer: str | Path, work_dir: str | Path
    ) -> None:
        self.work_dir = Path(work_dir).resolve()
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self.plain_config = read_config(detector)
        if _without_game(self.plain_config):
            self.config = read_config(detector)
        else:
            self.config = two_line_config(detector, anonymizer)
        for config in (self.plain_config, self.config):
            shrink(config)
            _shorten(config)
        _shrink_game(self.config)
        self.trains = bool(self.config.get('train_dataloader'))
        name = 'epoch_1.pth' if _by_epoch(self.config) else 'iter_1.pth'
        self.plain_checkpoint = self.work_dir / 'plain' / name
        self.joint_checkpoint = self.work_dir / 'joint' / name
        self.plain_config.load_from = None
        self.config.load_from = str(self.plain_checkpoint)

    def __enter__(self) -> 'DetectorCheck':
        return self

    def __exit__(self, *error: object) -> None:
        """Release the networks; this also writes their feature banks."""
        with _working_in(self.work_dir):
            for name in ('plain', 'plain_watch', 'joint', 'watch'):
                vars(self).pop(name, None)
            gc.collect()
        # Runners set the scope in which names are looked up, also for later code.
        DefaultScope._instance_dict.clear()

    def why_not(self, stage: str) -> str | None:
        """Return why a stage does not exist for this config, or None if it does.

        There are no other reasons. Running such a stage fails.
        """
        if stage == 'joint step' and not self.trains:
            return 'the config has no training data and no schedule: it only predicts'
        return None

    def run(self, stage: str) -> None:
        """Run one of :data:`STAGES`. They have to be run in their order.

        Raises:
            Exception: If the stage fails, with any error.
        """
        steps: dict[str, Callable] = dict(
            zip(
                STAGES,
                (self._build, self._train, self._predict, self._return),
                strict=True,
            )
        )
        with _working_in(self.work_dir):
            steps[stage]()

    def _build(self) -> None:
        write_made_up_data(self.config)
        write_made_up_people(Path('people'), _CROP_SIZE)
        self.plain = _runner(self.plain_config, self.work_dir / 'plain')
        self.joint = _runner(self.config, self.work_dir / 'joint')
        self.plain_watch, self.watch = _Watch(), _Watch()
        self.plain.register_hook(self.plain_watch, priority='LOWEST')
        self.joint.register_hook(self.watch, priority='LOWEST')

    def _train(self) -> None:
        """Run a plain iteration, and an iteration of the game from its weights."""
        if self.trains:
            self.plain.train()
        self.joint.train()
        untaught = dict(self.watch.without_gradient)
        # Weights that get no gradient in plain training either, for example because of
        # frozen normalization, are no fault of the game.
        alone = self.plain_watch.without_gradient['detector']
        untaught['detector'] = [
            name for name in untaught['detector'] if name not in alone
        ]
        for network, names in untaught.items():
            _ensure(not names, f'no gradient in {network}: {", ".join(names)}')
        _ensure(
            len(alone) < len(list(self.plain.model.parameters())),
            'no gradient in the detector',
        )
        _ensure(
            self._modifier_gradient() > 0,
            "the detector's loss gives M no gradient",
        )

    def _modifier_gradient(self) -> float:
        """Return the largest value in M's gradient of the detector's loss alone."""
        # Not in training mode, which would change the statistics of normalization.
        model = self.joint.model.eval()
        # DINO's losses need training mode of the detector itself, which is not a layer
        # with statistics.
        model.detector.training = True
        data = next(iter(self.joint.train_dataloader))
        batch = model.data_preprocessor(data, True)
        losses = model(batch['inputs'], batch['data_samples'], mode='loss')
        loss, _ = model.parse_losses(losses)
        gradients = torch.autograd.grad(loss, list(model.modifier.parameters()))
        return max(float(one.abs().max()) for one in gradients)

    def _predict(self) -> None:
        """Test with the config's metrics; compare the format with the bare detector."""
        if not self.trains:
            # A config without training writes no checkpoint either.
            save_weights(self.plain_checkpoint, self.plain.model.state_dict())
        # AVA's metric would start 32 processes and never end them.
        with patch.object(ava_utils, 'multiprocessing', multiprocessing.dummy):
            self.joint.test()
        if not self.trains:
            save_weights(self.joint_checkpoint, self.joint.model.state_dict())
        model = self.joint.model
        untouched = AnonymizedDetector(
            detector=model.detector, modifier=dict(type='mmanon.IdentityModifier')
        ).eval()
        for data, answers in self.watch.tested:
            bare = _answers(model.detector, data)
            _ensure(
                [_format(one) for one in answers] == [_format(one) for one in bare],
                f'predictions are {[_format(one) for one in answers]}, the bare '
                f"detector's {[_format(one) for one in bare]}",
            )
            _ensure_same(_answers(untouched, data, faces=False), bare)

    def _return(self) -> None:
        """Check that the game loads all plain weights, and a plain run the game's."""
        came = load_weights(self.plain_checkpoint)
        started = self.watch.detector_at_start
        _ensure(set(came) == set(started), 'weights are missing or unexpected')
        for name, value in came.items():
            _ensure(torch.equal(value, started[name]), f'{name} was not loaded')
        exported = self.work_dir / 'detector.pth'
        save_weights(
            exported, extract_part(load_weights(self.joint_checkpoint), DETECTOR)
        )
        self.plain.load_checkpoint(str(exported), strict=True)
        for data, _ in self.watch.tested:
            _ensure_same(
                _answers(self.plain.model.eval(), data),
                _answers(self.joint.model.detector, data),
            )


class _Watch(Hook):
    """Records the initial weights, which weights get gradients, and predictions."""

    def __init__(self) -> None:
        self.without_gradient: dict[str, list[str]] = {}
        self.detector_at_start: dict[str, Tensor] = {}
        self.tested: list[tuple[dict, Sequence]] = []

    def before_train(self, runner: Runner) -> None:
        self._remember_start(runner)
        for network, module in _networks(runner.model).items():
            waiting = self.without_gradient[network] = []
            for name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    waiting.append(name)
                    parameter.register_hook(_strike(waiting, name))

    def before_test(self, runner: Runner) -> None:
        if not self.detector_at_start:
            self._remember_start(runner)
        self.tested = []

    def _remember_start(self, runner: Runner) -> None:
        state = _networks(runner.model)['detector'].state_dict()
        self.detector_at_start = {name: value.clone() for name, value in state.items()}

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: Sequence
    ) -> None:
        self.tested.append((data_batch, outputs))


def _networks(model: nn.Module) -> dict[str, nn.Module]:
    if not isinstance(model, AnonymizedDetector):
        return dict(detector=model)
    return {name: getattr(model, name) for name in NETWORKS}


def _strike(waiting: list[str], name: str) -> Callable[[Tensor], None]:
    """Return a hook that removes a weight from the list at its first real gradient.

    That is a finite gradient that is not 0 everywhere.
    """

    def strike(gradient: Tensor) -> None:
        if name in waiting and gradient.isfinite().all() and gradient.any():
            waiting.remove(name)

    return strike


class _PlainTextConfig(Config):
    """Is saved without formatting, which takes longer than an iteration."""

    @property
    def pretty_text(self) -> str:
        values = self._cfg_dict.to_dict()
        return '\n'.join(f'{name} = {value!r}' for name, value in values.items())


def _runner(config: Config, work_dir: Path) -> Runner:
    config = _PlainTextConfig(copy.deepcopy(config._cfg_dict))
    config.work_dir = str(work_dir)
    # Runners of one process with the same name would share their logs.
    config.experiment_name = f'{work_dir.name}_{next(_numbers)}'
    (config.get('visualizer') or {}).pop('name', None)
    return Runner.from_cfg(config)


def _by_epoch(config: Config) -> bool:
    return (config.get('train_cfg') or {}).get('type') != 'IterBasedTrainLoop'


def _shorten(config: Config) -> None:
    """Train for one iteration without validation; the test follows."""
    if config.get('train_cfg'):
        config.train_cfg['max_epochs' if _by_epoch(config) else 'max_iters'] = 1
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.default_hooks.checkpoint.update(interval=1, save_best=None)
    config.randomness = dict(seed=0)
    config.log_level = 'ERROR'


def _without_game(config: Config) -> bool:
    """Remove the hooks of the game, and return whether there were any."""
    hooks = config.get('custom_hooks') or []
    others = [one for one in hooks if not str(one.type).startswith('mmanon.')]
    config.custom_hooks = others
    return len(others) < len(hooks)


def _shrink_game(config: Config) -> None:
    hook = next(one for one in config.custom_hooks if 'modifier' in one)
    for network in ('modifier', 'discriminator'):
        shrink_widths(hook[network])
    hook.update(crop_size=_CROP_SIZE, phases=None)
    hook.faces = dict(
        batch_size=4,
        dataset=dict(type='mmanon.FaceIdentityDataset', data_root='people'),
    )


@torch.no_grad()
def _answers(model: BaseModel, data: dict, faces: bool = True) -> list[dict]:
    """Return the model's predictions for a batch of the data loader."""
    batch = model.data_preprocessor(copy.deepcopy(data), False)
    samples = batch['data_samples']
    if not faces:
        for sample in samples:
            sample.set_metainfo(dict(faces=[], covers=[], face_tracks=[]))
    # A feature bank is sampled at random.
    torch.manual_seed(0)
    return model(batch['inputs'], samples, mode='predict')


def _tensors(answer: BaseDataElement) -> dict[str, Tensor]:
    found = answer.pred_instances
    return {name: found[name] for name in found.keys()}


def _format(answer: BaseDataElement) -> tuple:
    """Return what a metric relies on: types and shapes except the number of boxes."""
    tensors = _tensors(answer)
    return type(answer).__name__, {
        name: (value.dtype, tuple(value.shape[1:])) for name, value in tensors.items()
    }


def _ensure_same(first: Sequence, second: Sequence) -> None:
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(_tensors(one), _tensors(other))


def _ensure(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Make a folder the current one for the time of a ``with`` block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
