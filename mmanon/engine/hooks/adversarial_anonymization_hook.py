"""The hook that wraps a detector and plays the adversarial game around it."""

import copy
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmanon.datasets.face_batch import build_face_loader
from mmanon.datasets.transforms import complete_pipeline, insert_load_faces
from mmanon.engine.checkpoints import adapt_state_dict, report_weights
from mmanon.engine.game.config_check import check_arguments
from mmanon.engine.game.optimizers import (
    build_discriminator_wrapper,
    build_following_wrapper,
)
from mmanon.engine.game.run_switches import (
    RunSwitches,
    check_optimizer,
    check_runner,
    check_wrapper,
)
from mmanon.engine.seeding import mix_seeds, restart_workers, seed_samples
from mmanon.evaluation.metrics import prepare_face_metrics
from mmanon.models.detectors import AnonymizedDetector, PhaseSchedule
from mmanon.registry import DATASETS, HOOKS, MODELS
from mmanon.version import __version__

if TYPE_CHECKING:
    from mmanon.datasets.face_identities import FaceIdentityDataset

_ADAM = dict(optimizer=dict(type='Adam', lr=3e-4, betas=(0.5, 0.999)))


@HOOKS.register_module()
class AdversarialAnonymizationHook(Hook):
    """Train any detector together with a face modifier and a face discriminator.

    Named in ``custom_hooks`` of an mmaction2 or mmdet config, it wraps the runner's
    model in an :class:`AnonymizedDetector` before weights and checkpoints are loaded,
    adds the faces of the videos to the pipelines, gives the modifier and the
    discriminator optimizers of their own (the detector keeps its config's), feeds face
    batches and sets the phase of the game. In testing it wraps the model alike, and
    adds D's accuracy on original and on modified faces to the metrics.

    A list in a config replaces that of its base, and two bases may not both have it. A
    config whose detector brings hooks of its own keeps both as
    ``configs/rtmdet/rtmdet-tiny_resnet9-sphereface20_coco.py`` does.

    Args:
        modifier (dict): M, learned or hand-crafted.
        discriminator (dict, optional): D, a :class:`FaceClassifier`. Its head's
            ``num_classes`` is that of the faces. Without it M stays as it is and only
            the detector learns.
        faces (dict, optional): Face batches to train with: ``dataset`` (a config
            without ``crop_size`` and ``margin``, which are the hook's), ``batch_size``
            and ``num_workers``.
        val_faces (dict, optional): The same for faces that D is asked to name in
            validation and testing; its identities must be those of ``faces``.
        face_table (str or dict, optional): Face table of the videos, or one each for
            ``train``, ``val`` and ``test``, made by ``tools/detect_faces.py``.
            Defaults to ``faces.parquet`` beside the folder of the videos.
        adversarial_loss (dict, optional): What M minimizes against D.
        structure_loss (dict, optional): What keeps modified faces like the originals.
        crop_size (int): S, side of a face crop in pixels. Defaults to 256.
        margin (float): By how much of its side a face box is enlarged on each side.
            Defaults to 0.6.
        feather (float): Width of the fading band, a fraction of the crop's side.
        ema (dict, optional): Average of M to predict with.
        optim_wrapper (dict, optional): ``modifier`` and ``discriminator``, each with
            ``optimizer`` and optionally ``clip_grad``. Defaults to the paper's Adam.
            Mixed precision follows the detector's, and so does the modifier's gradient
            accumulation; the discriminator's is its own ``accumulative_counts``,
            1 if not given.
        param_scheduler (dict, optional): Schedules, by the same names.
        phases (dict, optional): ``warm_up`` and ``fine_tune`` iterations; see
            :class:`PhaseSchedule`.
        discriminator_steps (int): Steps of D in each iteration. Defaults to 1.
        **unknown: Refused, with the argument that may have been meant.

    Raises:
        ValueError: When arguments are unknown, or contradict each other or the data.
    """

    priority = 'HIGHEST'

    def __init__(
        self,
        modifier: dict,
        discriminator: dict | None = None,
        faces: dict | None = None,
        val_faces: dict | None = None,
        face_table: str | dict | None = None,
        adversarial_loss: dict | None = None,
        structure_loss: dict | None = None,
        crop_size: int = 256,
        margin: float = 0.6,
        feather: float = 0.1,
        ema: dict | None = None,
        optim_wrapper: dict | None = None,
        param_scheduler: dict | None = None,
        phases: dict | None = None,
        discriminator_steps: int = 1,
        **unknown: Any,
    ) -> None:
        scope = DefaultScope.get_current_instance()
        given = dict(
            modifier=modifier,
            discriminator=discriminator,
            faces=faces,
            val_faces=val_faces,
            face_table=face_table,
            adversarial_loss=adversarial_loss,
            structure_loss=structure_loss,
            crop_size=crop_size,
            margin=margin,
            feather=feather,
            ema=ema,
            optim_wrapper=optim_wrapper,
            param_scheduler=param_scheduler,
            phases=phases,
            discriminator_steps=discriminator_steps,
        )
        check_arguments({**given, **unknown}, scope.scope_name if scope else None)
        if not isinstance(face_table, dict):
            face_table = dict(train=face_table, val=face_table, test=face_table)
        self.face_table = face_table
        self.faces = faces
        self.val_faces = val_faces
        self.model_cfg = dict(
            modifier=modifier,
            adversarial_loss=adversarial_loss,
            structure_loss=structure_loss,
            crop_size=crop_size,
            margin=margin,
            feather=feather,
            ema=ema,
        )
        self.discriminator = discriminator
        optim_wrapper = optim_wrapper or {}
        self.optim_cfg = {
            name: dict(optim_wrapper.get(name, _ADAM))
            for name in ('modifier', 'discriminator')
        }
        self.scheduler_cfg = param_scheduler or {}
        self.schedule = PhaseSchedule(**(phases or {}))
        self.discriminator_steps = discriminator_steps
        self._face_batches: Iterator[dict] | None = None
        self._train_dataset: Dataset | None = None
        self._val_dataset: Dataset | None = None
        self._modifier_learns = False
        self._switches: RunSwitches | None = None

    # Before the run: wrap.

    def before_run(self, runner: Runner) -> None:
        """Wrap the model, complete the pipelines, add optimizers and schedules."""
        check_runner(runner)
        self._check_alone(runner)
        training = _is_built(runner._train_loop)
        self._insert_faces(runner)
        if isinstance(runner.model, AnonymizedDetector):
            # A runner that has trained goes on to validate or to test.
            if training and not isinstance(runner.optim_wrapper, OptimWrapperDict):
                raise ValueError(
                    'this runner has validated or tested already: train with a new one'
                )
            return
        self._train_dataset = self._build_faces(self.faces) if training else None
        self._val_dataset = self._build_faces(self.val_faces, test_mode=True)
        self._wrap(runner, training)
        if training:
            self._add_optimizers(runner)
            self._switches = RunSwitches(runner, runner.model)
            self.schedule.check(runner.max_iters)

    def _check_alone(self, runner: Runner) -> None:
        others = [one for one in runner.hooks if isinstance(one, type(self))]
        if len(others) > 1:
            raise ValueError(
                f'{len(others)} of `custom_hooks` are an {type(self).__name__}: one '
                'detector plays one game, so leave out all but one'
            )

    def _insert_faces(self, runner: Runner) -> None:
        loops = dict(
            train=runner._train_loop, val=runner._val_loop, test=runner._test_loop
        )
        for stage, loop in loops.items():
            if not _is_built(loop):
                continue
            dataset = loop.dataloader.dataset
            table = self.face_table.get(stage) or _table_beside(dataset, stage)
            insert_load_faces(dataset, table)
            if stage != 'train':
                continue
            for hook in runner.hooks:
                # mmdet's PipelineSwitchHook puts another pipeline in place later.
                later = getattr(hook, 'switch_pipeline', None)
                if later is not None:
                    hook.switch_pipeline = complete_pipeline(later, table)

    def _build_faces(
        self, cfg: dict | None, **kwargs: Any
    ) -> 'FaceIdentityDataset | None':
        if cfg is None or self.discriminator is None:
            return None
        geometry = {key: self.model_cfg[key] for key in ('crop_size', 'margin')}
        return DATASETS.build({**cfg['dataset'], **geometry, **kwargs})

    def _wrap(self, runner: Runner, training: bool) -> None:
        detector = runner.model
        wrapper = detector if is_model_wrapper(detector) else None
        if wrapper is not None:
            check_wrapper(wrapper)
            detector = wrapper.module
        model = AnonymizedDetector(
            detector=detector,
            discriminator=self._build_discriminator(),
            **copy.deepcopy(self.model_cfg),
        )
        device = next(detector.parameters()).device
        model.to(device)
        if wrapper is not None:
            model.parallel['detector'] = wrapper
            for name in ('modifier', 'discriminator'):
                part = getattr(model, name)
                if part is not None and _learns(part) and training:
                    model.parallel[name] = runner.wrap_model(
                        runner.cfg.get('model_wrapper_cfg'), part
                    )
        runner.model = model
        against = ''
        if model.discriminator is not None:
            against = f' against {type(model.discriminator.backbone).__name__}'
        print_log(
            f'{type(detector).__name__} is seen through '
            f'{type(model.modifier).__name__}{against}',
            logger='current',
        )

    def _face_datasets(self) -> list[Dataset]:
        return [one for one in (self._train_dataset, self._val_dataset) if one]

    def _build_discriminator(self) -> nn.Module | None:
        datasets = self._face_datasets()
        if self.discriminator is None or not datasets:
            return None
        classes = datasets[0].metainfo['classes']
        for other in datasets[1:]:
            if list(other.metainfo['classes']) != list(classes):
                odd = sorted(set(other.metainfo['classes']) ^ set(classes))
                raise ValueError(
                    f'val_faces must hold the identities of faces, in '
                    f'{datasets[0].data_root} and {other.data_root}; these are in one '
                    f'of them only: {odd[:5]}'
                )
        if len(classes) < 2:
            raise ValueError(
                f'{datasets[0].data_root} holds one person only, {classes[0]!r}: a '
                'discriminator learns to tell people apart, and needs a folder of '
                'images for each of at least two'
            )
        cfg = copy.deepcopy(self.discriminator)
        cfg.setdefault('margin', self.model_cfg['margin'])
        head = cfg['head']
        if head.setdefault('num_classes', len(classes)) != len(classes):
            raise ValueError(
                f'discriminator.head.num_classes={head["num_classes"]}, but '
                f'{datasets[0].data_root} holds {len(classes)} identities; leave '
                '`num_classes` out to take that number'
            )
        return MODELS.build(cfg)

    def _add_optimizers(self, runner: Runner) -> None:
        model, lead = runner.model, runner.optim_wrapper
        check_optimizer(lead)
        wrappers = dict(detector=lead)
        # A hand-crafted modifier has nothing to learn, and one without a
        # discriminator nobody to learn from.
        self._modifier_learns = (
            _learns(model.modifier) and model.discriminator is not None
        )
        if self._modifier_learns and self._train_dataset is None:
            raise ValueError(
                'modifier and discriminator learn from face batches, and val_faces are '
                'only measured: give `faces=dict(dataset=..., batch_size=...)`'
            )
        if self._modifier_learns:
            wrappers['modifier'] = build_following_wrapper(
                model.modifier, self.optim_cfg['modifier'], lead
            )
        if model.discriminator is not None:
            wrappers['discriminator'] = build_discriminator_wrapper(
                model.discriminator, self.optim_cfg['discriminator'], lead
            )
        runner.optim_wrapper = OptimWrapperDict(**wrappers)
        schedulers = dict(detector=runner.param_schedulers or [])
        for name in list(wrappers)[1:]:
            schedulers[name] = runner._build_param_scheduler(
                self.scheduler_cfg.get(name, []), wrappers[name]
            )
        runner.param_schedulers = schedulers

    # Around checkpoints.

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Fit a plain or an anonymized detector's checkpoint to the model."""
        check_runner(runner)
        holder = checkpoint if 'state_dict' in checkpoint else None
        state = checkpoint['state_dict'] if holder else dict(checkpoint)
        ours = runner.model.state_dict()
        adapted = adapt_state_dict(state, ours)
        for report in report_weights(adapted, ours):
            print_log(
                str(report),
                logger='current',
                level=logging.WARNING if report.is_partial else logging.INFO,
            )
        if holder is None:
            checkpoint.clear()
            checkpoint.update(adapted)
        else:
            checkpoint['state_dict'] = adapted
        if runner._resume and 'mmanon_version' not in checkpoint.get('meta', {}):
            raise ValueError(
                'only a checkpoint of this hook can be resumed: this one holds a plain '
                'detector; start from it by `load_from` without `resume`'
            )
        # A training may start from a discriminator of other people.
        if runner._resume or not _is_built(runner._train_loop):
            self._check_people(runner, checkpoint.get('meta', {}))

    def _check_people(self, runner: Runner, meta: dict) -> None:
        theirs = meta.get('classes')
        if theirs is None or runner.model.discriminator is None:
            return
        dataset = self._face_datasets()[0]
        ours = dataset.metainfo['classes']
        if list(theirs) != list(ours):
            odd = sorted(set(theirs) ^ set(ours))
            raise ValueError(
                f'the discriminator of the checkpoint names {len(theirs)} people, and '
                f'{dataset.data_root} holds {len(ours)}; these are among one of them '
                f'only: {odd[:5]}'
            )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Sign the checkpoint; refuse to save weights that are not finite."""
        for name, value in checkpoint['state_dict'].items():
            if value.is_floating_point() and not value.isfinite().all():
                raise FloatingPointError(
                    f'{name} is not finite: no checkpoint is saved. Lower the learning '
                    'rate or clip gradients, and resume from the last checkpoint'
                )
        checkpoint['meta']['mmanon_version'] = __version__
        if runner.model.discriminator is not None:
            classes = self._face_datasets()[0].metainfo['classes']
            checkpoint['meta']['classes'] = list(classes)

    # While training: feed and guard.

    def before_train(self, runner: Runner) -> None:
        """Open the streams of clips and of face batches where training stands."""
        if self._switches is not None:
            self._switches.turn_on(runner)
        self._count_updates(runner)
        seed = _seed_of_all(runner.seed)
        loop = runner.train_loop
        if hasattr(loop, 'dataloader_iterator'):
            # A resumed loop goes through the stream from its start.
            seed_samples(loop.dataloader, seed)
            restart_workers(loop.dataloader)
            loop.dataloader_iterator = type(loop.dataloader_iterator)(loop.dataloader)
        else:
            seed_samples(loop.dataloader, seed, runner.epoch)
        if self._train_dataset is not None:
            self._face_batches = iter(
                build_face_loader(
                    self._train_dataset,
                    batch_size=self.faces.get('batch_size', 32),
                    num_workers=self.faces.get('num_workers', 0),
                    seed=seed,
                    start_iteration=runner.iter * self.discriminator_steps,
                )
            )

    def _count_updates(self, runner: Runner) -> None:
        """Tell the optimizers where they stand, so that they step at the end too."""
        for name, wrapper in runner.optim_wrapper.items():
            now, end = runner.iter, runner.iter + _iterations_left(runner.train_loop)
            if name == 'discriminator':
                end -= self.schedule.fine_tune
                now, end = (
                    count * self.discriminator_steps for count in (min(now, end), end)
                )
            wrapper.initialize_count_status(getattr(runner.model, name), now, end)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Set random numbers and phase; add face batches to the batch."""
        if not isinstance(data_batch, dict):
            raise TypeError(
                'the train dataloader gives batches of type '
                f'{type(data_batch).__name__}; only `inputs` and `data_samples` in a '
                'dict can be anonymized'
            )
        _seed_iteration(runner.seed, runner.iter)
        left = _iterations_left(runner.train_loop, batch_idx)
        phase = self.schedule.at(runner.iter, left)
        if not self._modifier_learns:
            phase = replace(phase, modifier_learns='nothing')
        if self._face_batches is None:
            phase = replace(phase, discriminator_learns='nothing')
        if phase.name != runner.model.phase.name or runner.iter == 0:
            print_log(f'Phase of the game: {phase}', logger='current')
        runner.model.phase = phase
        data_batch['faces'] = []
        if self._face_batches is not None:
            data_batch['faces'] = [
                next(self._face_batches) for _ in range(self.discriminator_steps)
            ]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Stop at a loss that is not finite, before anything is saved."""
        names = [name for name, value in outputs.items() if torch.is_tensor(value)]
        values = torch.stack([outputs[name].detach().float() for name in names])
        if not values.isfinite().all():
            wrong = [
                name
                for name, finite in zip(names, values.isfinite().tolist(), strict=True)
                if not finite
            ]
            raise FloatingPointError(
                f'{", ".join(wrong)} not finite at iteration {runner.iter + 1}: '
                'training stops, these weights are not saved. Lower the rate, clip '
                'gradients, or raise the weight of the structure loss (the negated '
                'adversarial loss has no lower bound)'
            )

    # Around validation and testing: what attackers and D can still name.

    def before_val_epoch(self, runner: Runner) -> None:
        """Give the model to the metrics that measure faces."""
        self._prepare_metrics(runner, runner.val_loop)

    def before_test_epoch(self, runner: Runner) -> None:
        """Give the model to the metrics that measure faces."""
        self._prepare_metrics(runner, runner.test_loop)

    @staticmethod
    def _prepare_metrics(runner: Runner, loop: BaseLoop) -> None:
        # What is covered is said for each evaluation.
        runner.model.warned_of_cover = False
        device = next(runner.model.detector.parameters()).device
        prepare_face_metrics(loop.evaluator.metrics, runner.model, device)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Add D's accuracy to the metrics."""
        self._measure(runner, metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Add D's accuracy to the metrics."""
        self._measure(runner, metrics)

    @torch.no_grad()
    def _measure(self, runner: Runner, metrics: dict | None) -> None:
        if self._val_dataset is None or metrics is None:
            return
        model = runner.model
        device = next(model.detector.parameters()).device
        original, modified, change, hidden = 0, 0, 0.0, 0
        discriminator = model.discriminator
        training, _ = discriminator.training, discriminator.eval()
        loader = DataLoader(self._val_dataset, batch_size=64)
        for batch in loader:
            faces, labels = batch['image'].to(device), batch['label'].to(device)
            drawn, covered = model.redraw_or_cover(faces)
            original += (discriminator(faces, mode='logits').argmax(1) == labels).sum()
            modified += (discriminator(drawn, mode='logits').argmax(1) == labels).sum()
            change += (drawn - faces).abs().mean((1, 2, 3)).sum()
            hidden += covered.sum()
        discriminator.train(training)
        count = len(self._val_dataset)
        metrics['faces/acc_original'] = float(original) / count
        metrics['faces/acc_modified'] = float(modified) / count
        metrics['faces/pixel_change'] = float(change) / count
        metrics['faces/covered'] = float(hidden) / count
        metrics['faces/num_identities'] = len(self._val_dataset.metainfo['classes'])


def _is_built(loop: BaseLoop | dict | None) -> bool:
    return loop is not None and not isinstance(loop, dict)


def _iterations_left(loop: BaseLoop, batch_idx: int = 0) -> int:
    """Iterations to come, from a batch of the epoch on.

    An epoch's are counted as it has them now: a training that goes on with another
    number of processes has done another number of them before.
    """
    if hasattr(loop, 'dataloader_iterator'):
        return loop.max_iters - loop.iter
    return (loop.max_epochs - loop.epoch) * len(loop.dataloader) - batch_idx


def _table_beside(dataset: Dataset | None, stage: str) -> str:
    while not getattr(dataset, 'data_prefix', None):
        inner = getattr(dataset, 'dataset', None) or getattr(
            dataset, 'datasets', [None]
        )
        dataset = inner[0] if isinstance(inner, Sequence) else inner
        if dataset is None:
            break
    prefixes = [one for one in getattr(dataset, 'data_prefix', {}).values() if one]
    if not prefixes:
        raise ValueError(
            f'the {stage} data set does not say where its videos lie: name their face '
            "table by the hook's `face_table`"
        )
    return str(Path(prefixes[0]).parent / 'faces.parquet')


def _learns(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _seed_of_all(seed: int) -> int:
    """The seed of the first process, where each has its own."""
    shared = torch.tensor(seed)
    broadcast(shared)
    return int(shared)


def _seed_iteration(seed: int, iteration: int) -> None:
    """Make all random numbers drawn from here on a function of the iteration."""
    mixed = mix_seeds(seed, iteration)
    random.seed(mixed)
    np.random.seed(mixed)
    torch.manual_seed(mixed)
