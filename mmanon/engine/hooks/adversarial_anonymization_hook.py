"""The hook that wraps a detector and plays the adversarial game around it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmanon.datasets.face_batch import build_face_loader
from mmanon.engine.checkpoints import (
    check_finite,
    check_losses,
    fit_checkpoint,
    tell_of_modifier,
)
from mmanon.engine.game.config_check import check_arguments
from mmanon.engine.game.devices import check_deterministic, copies_ahead
from mmanon.engine.game.optimizers import add_optimizers, count_updates
from mmanon.engine.game.phases import PhaseSchedule, iterations_left
from mmanon.engine.game.restarts import check_restarts, restart_discriminator
from mmanon.engine.game.run_switches import RunSwitches, check_runner
from mmanon.engine.game.wrapping import (
    build_discriminator,
    check_people,
    insert_faces,
    is_built,
    learns,
    load_named_weights,
    wrap_detector,
)
from mmanon.engine.seeding import (
    follow_seed,
    restart_workers,
    seed_iteration,
    seed_of_all,
    seed_samples,
)
from mmanon.evaluation.face_set import FaceSet
from mmanon.evaluation.metrics import (
    DiscriminatorMetric,
    build_faces,
    prepare_face_metrics,
)
from mmanon.models.detectors import AnonymizedDetector
from mmanon.registry import HOOKS
from mmanon.structures.crop_geometry import GAME_GEOMETRY
from mmanon.version import __version__

from .save_on_interrupt_hook import SaveOnInterruptHook

_GEOMETRY = ('crop_size', 'margin')
_ADAM = dict(optimizer=dict(type='Adam', lr=3e-4, betas=(0.5, 0.999)))


@HOOKS.register_module()
class AdversarialAnonymizationHook(Hook):
    """Trains any detector together with a face modifier and a face discriminator.

    Add it to ``custom_hooks`` of an mmaction2 or mmdet config. Before weights and
    checkpoints are loaded, it wraps the runner's model in an
    :class:`AnonymizedDetector` and adds the faces of the videos to the pipelines. The
    modifier and the discriminator get their own optimizers; the detector keeps that of
    its config. During the training it adds face batches and sets the phase of the game.
    In testing it also wraps the model; in validation and testing it adds a
    :class:`DiscriminatorMetric` of ``val_faces`` to the metrics.

    A list in a config replaces the list of its base, and two bases must not have the
    same list. If the detector's config has its own hooks, join both lists as in
    ``configs/rtmdet/rtmdet-tiny_resnet9-sphereface20_coco.py``.

    Args:
        modifier (dict): M, learned or hand-crafted.
        discriminator (dict, optional): D, a :class:`FaceClassifier` or a
            :class:`DiscriminatorEnsemble`. ``num_classes`` of its heads defaults to the
            number of people. Without D only the detector learns.
        faces (dict, optional): Face batches to train with: ``dataset`` (a config
            without ``crop_size`` and ``margin``, which come from this hook),
            ``batch_size`` and ``num_workers``.
        val_faces (dict, optional): Faces that D classifies in validation and testing,
            in the same form; their identities must be those of ``faces``.
        face_table (str or dict, optional): Face table of the videos, or one each for
            ``train``, ``val`` and ``test``, written by ``mmanon detect-faces``.
            Defaults to ``faces.parquet`` next to the folder of the videos.
        adversarial_loss (dict, optional): What M minimizes against D.
        structure_loss (dict, optional): Keeps modified faces similar to the originals.
        temporal_loss (dict, optional): Reduces the flicker of the faces in clips, such
            as :class:`FlickerLoss`.
        crop_size (int): S, the side of a face crop in pixels. Defaults to 256.
        margin (float): Enlargement of a face box on each side, as a fraction of its
            longer side. Defaults to 0.6.
        feather (float): Width of the band in which a crop fades into the frame, as a
            fraction of the crop's side. Defaults to 0.1.
        ema (dict, optional): Running average of M for prediction.
        optim_wrapper (dict, optional): ``modifier`` and ``discriminator``, each with
            ``optimizer`` and optionally ``clip_grad``. If several discriminators have
            different optimizers, ``discriminator`` is a list. Defaults to the paper's
            Adam. All use the detector's mixed precision. The modifier uses the
            detector's gradient accumulation, and the discriminator its own
            ``accumulative_counts``, 1 by default.
        param_scheduler (dict, optional): Schedules by the same names.
        phases (dict, optional): ``warm_up``, ``fine_tune``, ``restart`` and
            ``catch_up`` iterations; see :class:`PhaseSchedule`.
        discriminator_steps (int): Steps of D in each iteration. Defaults to 1.
        **unknown: Rejected, with the nearest known argument.

    Raises:
        ValueError: If arguments are unknown, or contradict each other or the data.
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
        temporal_loss: dict | None = None,
        crop_size: int = GAME_GEOMETRY.crop_size,
        margin: float = GAME_GEOMETRY.margin,
        feather: float = GAME_GEOMETRY.feather,
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
            temporal_loss=temporal_loss,
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
        self.model_cfg: dict[str, Any] = dict(
            modifier=modifier,
            adversarial_loss=adversarial_loss,
            structure_loss=structure_loss,
            temporal_loss=temporal_loss,
            crop_size=crop_size,
            margin=margin,
            feather=feather,
            ema=ema,
        )
        self.discriminator = discriminator
        optim_wrapper = optim_wrapper or {}
        self.optim_cfg = {
            name: optim_wrapper.get(name, _ADAM)
            for name in ('modifier', 'discriminator')
        }
        self.scheduler_cfg = param_scheduler or {}
        self.schedule = PhaseSchedule(**(phases or {}))
        self.discriminator_steps = discriminator_steps
        self._face_batches: Iterator[dict] | None = None
        self._train_faces: Any = None
        self._val_faces: FaceSet | None = None
        # All face data sets by their settings; the metrics use them, too.
        self._datasets: dict[str, FaceSet] = {}
        self._modifier_learns = False
        self._switches: RunSwitches | None = None
        self._drawn_seed = 0
        # The networks that the run's checkpoint holds.
        self._held: set[str] = set()

    # Before the run: wrap.

    def before_run(self, runner: Runner) -> None:
        """Wrap the model, complete the pipelines, add optimizers and schedules."""
        check_runner(runner)
        self._check_alone(runner)
        training = is_built(runner._train_loop)
        insert_faces(runner, self.face_table)
        if isinstance(runner.model, AnonymizedDetector):
            # The runner has already run, such as a training before a test.
            if training and not isinstance(runner.optim_wrapper, OptimWrapperDict):
                raise ValueError(
                    'this runner has validated or tested already: train with a new one'
                )
            return
        if training:
            self._train_faces = self._build_faces(self.faces)
        self._val_faces = self._build_faces(self.val_faces, test_mode=True)
        wrap_detector(runner, self.model_cfg, self._build_discriminator(), training)
        # A checkpoint may later give the runner another seed.
        self._drawn_seed = runner.seed
        if training:
            self._add_optimizers(runner)
            self._switches = RunSwitches(runner, runner.model)
            self.schedule.check(runner.max_iters)
            if self.schedule.restart:
                check_restarts(
                    runner.model.discriminator, self._train_faces is not None
                )
            if not any(isinstance(hook, SaveOnInterruptHook) for hook in runner.hooks):
                # Its methods are called after those of this hook.
                runner.register_hook(SaveOnInterruptHook())

    def _check_alone(self, runner: Runner) -> None:
        games = [hook for hook in runner.hooks if isinstance(hook, type(self))]
        if len(games) > 1:
            raise ValueError(
                f'{len(games)} of `custom_hooks` are an {type(self).__name__}: one '
                'detector plays one game, so leave out all but one'
            )

    def _build_faces(self, cfg: dict | None, **kwargs: Any) -> Any:
        if cfg is None or self.discriminator is None:
            return None
        geometry = {key: self.model_cfg[key] for key in _GEOMETRY}
        settings = {
            k: value for k, value in cfg['dataset'].items() if k not in _GEOMETRY
        }
        return build_faces({**settings, **kwargs}, geometry, self._datasets)

    def _face_datasets(self) -> list[FaceSet]:
        return [
            faces for faces in (self._train_faces, self._val_faces) if faces is not None
        ]

    def _build_discriminator(self) -> nn.Module | None:
        datasets = self._face_datasets()
        if self.discriminator is None or not datasets:
            return None
        return build_discriminator(
            self.discriminator, self.model_cfg['margin'], datasets
        )

    def _add_optimizers(self, runner: Runner) -> None:
        model = runner.model
        # A hand-crafted modifier has no weights, and without a discriminator a
        # modifier has nothing to learn from.
        self._modifier_learns = (
            learns(model.modifier) and model.discriminator is not None
        )
        if self._modifier_learns and self._train_faces is None:
            raise ValueError(
                'modifier and discriminator learn from face batches, but val_faces are '
                'only for validation: give `faces=dict(dataset=..., batch_size=...)`'
            )
        add_optimizers(
            runner, self.optim_cfg, self.scheduler_cfg, self._modifier_learns
        )

    # Around checkpoints.

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Fit a plain or an anonymized detector's checkpoint to the model."""
        check_runner(runner)
        # A training may start from a discriminator of other people.
        starting = is_built(runner._train_loop) and not runner._resume
        self._held = fit_checkpoint(
            checkpoint, runner.model.state_dict(), new_head=starting
        )
        meta = checkpoint.get('meta', {})
        if runner._resume and 'mmanon_version' not in meta:
            raise ValueError(
                'only a checkpoint of this hook can be resumed, but this one holds a '
                'plain detector; start from it by `load_from` without `resume`'
            )
        # mmengine would execute the text of this key, which nothing writes any more.
        meta.pop('config', None)
        named = meta.get('classes')
        if not starting and named and runner.model.discriminator is not None:
            check_people(named, self._face_datasets()[0])

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add version, card and people; refuse to save weights that are not finite."""
        check_finite(checkpoint['state_dict'])
        checkpoint['meta']['mmanon_version'] = __version__
        said = dict(self.model_cfg, type=type(self).__name__, faces=self.faces)
        tell_of_modifier(checkpoint['meta'], said, runner.cfg.get('train_dataloader'))
        if runner.model.discriminator is not None:
            classes = self._face_datasets()[0].metainfo['classes']
            checkpoint['meta']['classes'] = list(classes)

    # While training: add face batches and check losses.

    def before_train(self, runner: Runner) -> None:
        """Start the streams of clips and face batches at the current iteration."""
        device = next(runner.model.detector.parameters()).device
        check_deterministic(runner.model, device)
        ahead = copies_ahead(runner)
        if self._switches is not None:
            self._switches.turn_on(runner)
        count_updates(runner, self.schedule, self.discriminator_steps)
        seed = seed_of_all(runner.seed)
        loop = runner.train_loop
        follow_seed(loop.dataloader, self._drawn_seed, runner.seed)
        if hasattr(loop, 'dataloader_iterator'):
            # A resumed loop goes through the stream from the beginning.
            seed_samples(loop.dataloader, seed)
            restart_workers(loop.dataloader)
            loop.dataloader_iterator = type(loop.dataloader_iterator)(loop.dataloader)
        else:
            seed_samples(loop.dataloader, seed, runner.epoch)
        if self._train_faces is not None and self.faces is not None:
            self._face_batches = iter(
                build_face_loader(
                    self._train_faces,
                    batch_size=self.faces.get('batch_size', 32),
                    num_workers=self.faces.get('num_workers', 0),
                    seed=seed,
                    start_iteration=runner.iter * self.discriminator_steps,
                    as_bytes=True,
                    pin_memory=ahead,
                )
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Set the seed and the phase; add face batches to the batch."""
        if not isinstance(data_batch, dict):
            raise TypeError(
                'the train dataloader gives batches of type '
                f'{type(data_batch).__name__}; the game needs dicts with `inputs` and '
                '`data_samples`'
            )
        seed_iteration(runner.seed, runner.iter)
        left = iterations_left(runner.train_loop, batch_idx)
        phase = self.schedule.at(runner.iter, left)
        if not self._modifier_learns:
            phase = replace(phase, modifier_learns='nothing')
        if self._face_batches is None:
            phase = replace(phase, discriminator_learns='nothing')
        if phase.name != runner.model.phase.name or runner.iter == 0:
            print_log(f'Phase of the game: {phase}', logger='current')
        runner.model.phase = phase
        restart = self.schedule.restart_at(runner.iter, left)
        if restart is not None:
            restart_discriminator(runner, restart)
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
        check_losses(outputs or {}, runner.iter + 1)

    # Around validation and testing: prepare the metrics of faces.

    def before_val_epoch(self, runner: Runner) -> None:
        """Give the model to the metrics that measure faces."""
        self._prepare_metrics(runner, runner.val_loop)

    def before_test_epoch(self, runner: Runner) -> None:
        """Give the model to the metrics that measure faces."""
        self._prepare_metrics(runner, runner.test_loop)

    def _prepare_metrics(self, runner: Runner, loop: BaseLoop) -> None:
        model, metrics = runner.model, loop.evaluator.metrics
        if not is_built(runner._train_loop):
            load_named_weights(model, self._held)
        # Each evaluation warns again of covered faces.
        model.warned_of_cover = False
        asked = any(isinstance(metric, DiscriminatorMetric) for metric in metrics)
        if self.val_faces and self._val_faces is not None and not asked:
            settings = self.val_faces['dataset'].items()
            named = {key: value for key, value in settings if key not in _GEOMETRY}
            batch_size = self.val_faces.get('batch_size', 64)
            metrics.append(DiscriminatorMetric(named, batch_size))
        device = next(model.detector.parameters()).device
        prepare_face_metrics(metrics, model, device, self._datasets)
