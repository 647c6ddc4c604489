"""Does a detector's own config train and predict as part of the game?"""

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
    """A shrunk detector, through the hook, on made-up data, stage by stage.

    All runs as ``tools/train.py`` and ``tools/test.py`` would run it, with the config's
    own data sets, pipelines, optimizer, loop and metrics. What is changed is in
    :func:`shrink`, and that training is one iteration long.

    Args:
        detector (str): A detector's config, as an entry of ``_base_`` or a file. A
            config with the hook is used unchanged.
        anonymizer (str or Path): The anonymizer's, added to one without the hook.
        work_dir (str or Path): A folder for data, logs and checkpoints.
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
        """Release the networks: feature banks are written then."""
        with _working_in(self.work_dir):
            for name in ('plain', 'plain_watch', 'joint', 'watch'):
                vars(self).pop(name, None)
            gc.collect()
        # Runners say where names are looked up, for all that follows.
        DefaultScope._instance_dict.clear()

    def why_not(self, stage: str) -> str | None:
        """The reason for which a stage does not exist for this config, if there is one.

        This is the only list of such reasons. Running the stage fails.
        """
        if stage == 'joint step' and not self.trains:
            return 'the config only predicts: it has no training data and no schedule'
        return None

    def run(self, stage: str) -> None:
        """Run one of :data:`STAGES`, in their order.

        Raises:
            Exception: Whatever went wrong.
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
        """A plain iteration, and one of the game that continues from its weights."""
        if self.trains:
            self.plain.train()
        self.joint.train()
        untaught = dict(self.watch.without_gradient)
        # Frozen normalization may keep them from weights of the plain detector too.
        alone = self.plain_watch.without_gradient['detector']
        untaught['detector'] = [
            name for name in untaught['detector'] if name not in alone
        ]
        for network, names in untaught.items():
            _ensure(not names, f'no gradient came to {network}: {", ".join(names)}')
        _ensure(
            len(alone) < len(list(self.plain.model.parameters())),
            'no gradient came to the detector',
        )
        _ensure(self._modifier_gradient() > 0, "the detector's loss teaches M nothing")

    def _modifier_gradient(self) -> float:
        """The largest part of M's gradient from the detector's loss alone."""
        # Not in training mode, which would move the statistics of normalization.
        model = self.joint.model.eval()
        # DINO's losses ask the detector itself, which normalizes nothing.
        model.detector.training = True
        data = next(iter(self.joint.train_dataloader))
        batch = model.data_preprocessor(data, True)
        losses = model(batch['inputs'], batch['data_samples'], mode='loss')
        loss, _ = model.parse_losses(losses)
        gradients = torch.autograd.grad(loss, list(model.modifier.parameters()))
        return max(float(one.abs().max()) for one in gradients)

    def _predict(self) -> None:
        """Test by the config's metrics; answer in the format of the bare detector."""
        if not self.trains:
            # What never trains writes no checkpoint either.
            save_weights(self.plain_checkpoint, self.plain.model.state_dict())
        # AVA's metric would start 32 processes, and leave them behind.
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
        """Weights of a plain run came in whole; the game's go back to a plain run."""
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
    """Sees what a run starts from, who gets gradients, and what is predicted."""

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
    """Strikes a weight off the list when a gradient comes that is not all 0."""

    def strike(gradient: Tensor) -> None:
        if name in waiting and gradient.isfinite().all() and gradient.any():
            waiting.remove(name)

    return strike


class _PlainTextConfig(Config):
    """Is written down without being formatted, which takes longer than an iteration."""

    @property
    def pretty_text(self) -> str:
        values = self._cfg_dict.to_dict()
        return '\n'.join(f'{name} = {value!r}' for name, value in values.items())


def _runner(config: Config, work_dir: Path) -> Runner:
    config = _PlainTextConfig(copy.deepcopy(config._cfg_dict))
    config.work_dir = str(work_dir)
    # Runners of one process must not share names, or they would share their logs.
    config.experiment_name = f'{work_dir.name}_{next(_numbers)}'
    (config.get('visualizer') or {}).pop('name', None)
    return Runner.from_cfg(config)


def _by_epoch(config: Config) -> bool:
    return (config.get('train_cfg') or {}).get('type') != 'IterBasedTrainLoop'


def _shorten(config: Config) -> None:
    """One iteration, validated by nothing but the test that follows."""
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
    """The model's predictions for a batch of the data loader."""
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
    """What a metric relies on; the number of boxes is the detector's own affair."""
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
    """Where relative paths lead to."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
