"""A detector that sees only redrawn faces."""

import logging
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.model import BaseAveragedModel, BaseModel
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from mmanon.models.discriminators import BaseDiscriminator, discriminator_parts
from mmanon.models.layers.face_crops import (
    crop_faces,
    paste_faces,
    square_boxes,
)
from mmanon.models.layers.modes import evaluating, held_still
from mmanon.models.losses.adversarial import shrunk
from mmanon.models.modifiers import BaseModifier, LearnedModifier
from mmanon.models.modifiers.covering import redraw_or_cover
from mmanon.registry import MODELS
from mmanon.structures.crop_geometry import GAME_GEOMETRY, check_geometry

from .frame_faces import boxes_of_samples, fill_boxes, neighbours
from .game_steps import (
    discriminator_step,
    faces_on,
    modifier_and_detector_step,
    optimizer_contexts,
)
from .phase import JOINT, Phase
from .pixel_range import PixelRange


@MODELS.register_module()
class AnonymizedDetector(BaseModel):
    """Any detector with a modifier in front of it, and the game that trains both.

    ``forward`` first lets the modifier redraw all faces that the data samples name, and
    then returns what the wrapped detector returns in the same mode. ``train_step``
    plays ``min over M, A; max over D: L_det + L_adv + L_l1`` (Ren et al., ECCV 2018):
    first a step of the discriminator, then one of modifier and detector together.

    Args:
        detector (nn.Module or dict): A detector of mmaction2 or mmdet, or its config.
        modifier (nn.Module or dict): M.
        discriminator (nn.Module or dict, optional): D; needed to train M.
        adversarial_loss (nn.Module or dict, optional): What M minimizes against D.
            Defaults to the paper's :class:`NegatedClassifierLoss`.
        structure_loss (nn.Module or dict, optional): A loss of (modified, original)
            faces that M minimizes too. Defaults to ``λ‖M(f) − f‖₁`` with λ = 10.
        temporal_loss (nn.Module or dict, optional): A loss of consecutive faces of a
            track in the clips, such as :class:`FlickerLoss`.
        crop_size (int): S, the side of a face crop in pixels. Defaults to 256.
        margin (float): Enlargement of a face box on each side, as a fraction of its
            longer side. Defaults to 0.6.
        feather (float): Width of the band in which a crop fades into the frame, as a
            fraction of the crop's side. Defaults to 0.1.
        ema (dict, optional): Config of mmengine's averaged model for prediction, such
            as ``dict(type='ExponentialMovingAverage', momentum=0.001)``.

    Raises:
        ValueError: If the feather would show part of the face box, or the detector's
            preprocessor mixes or resizes frames.
        TypeError: If that preprocessor cannot be inverted, or the modifier has
            weights and is not a :class:`LearnedModifier`.
    """

    detector: nn.Module
    modifier: BaseModifier
    discriminator: BaseDiscriminator | None
    adversarial_loss: nn.Module
    structure_loss: nn.Module
    temporal_loss: nn.Module | None
    modifier_ema: BaseAveragedModel | None
    data_preprocessor: nn.Module

    def __init__(
        self,
        detector: nn.Module | dict,
        modifier: nn.Module | dict,
        discriminator: nn.Module | dict | None = None,
        adversarial_loss: nn.Module | dict | None = None,
        structure_loss: nn.Module | dict | None = None,
        temporal_loss: nn.Module | dict | None = None,
        crop_size: int = GAME_GEOMETRY.crop_size,
        margin: float = GAME_GEOMETRY.margin,
        feather: float = GAME_GEOMETRY.feather,
        ema: dict | None = None,
    ) -> None:
        built = _build(detector)
        super().__init__(data_preprocessor=built.data_preprocessor)
        check_geometry(crop_size, margin, feather)
        self.detector = built
        self.modifier = _build(modifier)
        learns = any(True for _ in self.modifier.parameters())
        if learns and not isinstance(self.modifier, LearnedModifier):
            raise TypeError(
                f'{type(self.modifier).__name__} has weights but does not count '
                'their updates, so its faces could stay visible before it is trained: '
                'make it a subclass of mmanon.models.modifiers.LearnedModifier'
            )
        self.discriminator = _build(discriminator)
        self.adversarial_loss = _build(
            adversarial_loss or dict(type='mmanon.NegatedClassifierLoss')
        )
        self.structure_loss = _build(
            structure_loss or dict(type='mmdet.L1Loss', loss_weight=10.0)
        )
        self.temporal_loss = _build(temporal_loss)
        self.modifier_ema = _build(ema, model=self.modifier) if ema else None
        # D learns the shrunk faces that the adversarial loss shows it.
        self._shrinks = getattr(self.adversarial_loss, 'shrinks', (1,))
        self.warned_of_cover = False
        self.crop_size = crop_size
        self.margin = margin
        self.feather = feather
        self.phase: Phase = JOINT
        self.pixels = PixelRange(built.data_preprocessor)
        # The networks or their data-parallel wrappers, through which they are called.
        # A plain dict keeps the wrappers out of the names of the weights.
        self.parallel: dict[str, nn.Module] = self.learners

    def init_weights(self) -> None:
        """Initialize all networks; the average of M starts as M."""
        super().init_weights()
        if self.modifier_ema is not None:
            self.modifier_ema.module.load_state_dict(self.modifier.state_dict())

    @property
    def learners(self) -> dict[str, nn.Module]:
        """The networks with their own optimizer, by the names of the optimizers."""
        return {
            'detector': self.detector,
            'modifier': self.modifier,
            **discriminator_parts(self.discriminator),
        }

    @property
    def deployed_modifier(self) -> BaseModifier:
        """The modifier for prediction: M's average if there is one, or M."""
        if self.modifier_ema is not None:
            return self.modifier_ema.module
        return self.modifier

    def redraw_faces(self, faces: Tensor) -> Tensor:
        """Redraw faces as in prediction.

        Args:
            faces (Tensor): RGB face crops, (K, 3, S, S) in [-1, 1].

        Returns:
            Tensor: Redrawn faces of the same shape and range.
        """
        return self.redraw_or_cover(faces)[0]

    def redraw_or_cover(
        self,
        faces: Tensor,
        keys: Tensor | None = None,
        tracks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Redraw faces as in prediction, and cover those that stay nearly unchanged.

        The first cover is logged; see :func:`redraw_or_cover`.

        Args:
            faces (Tensor): RGB face crops, (K, 3, S, S) in [-1, 1].
            keys, tracks (Tensor, optional): As in :func:`redraw_or_cover`.

        Returns:
            tuple[Tensor, Tensor]: Faces of the same shape and range, and which of them
            are covered, (K,) bool.
        """
        # Evaluation mode also while the detector learns: the statistics of a modifier
        # that does not learn must not change.
        with evaluating(self.deployed_modifier):
            drawn, covered = redraw_or_cover(
                self.deployed_modifier, faces, self.margin, keys, tracks
            )
        # In training this is not checked: it would wait for the device.
        if not self.training and not self.warned_of_cover and covered.any():
            self.warned_of_cover = True
            name = type(self.deployed_modifier).__name__
            untrained = self.deployed_modifier.is_untrained
            why = 'has no trained weights' if untrained else 'hardly changes some faces'
            print_log(
                f'{name} {why}: they are covered by a solid mask instead',
                logger='current',
                level=logging.WARNING,
            )
        return drawn, covered

    def forward(
        self,
        inputs: Tensor,
        data_samples: list | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Redraw all faces, then run the wrapped detector.

        Args:
            inputs (Tensor): Normalized frames, (N, C, H, W), or clips,
                (N, C, T, H, W).
            data_samples (list): The detector's data samples. Their metainfo ``faces``
                holds the face boxes, (K, 5) as ``(frame, x1, y1, x2, y2)`` in pixels.
                ``covers``, (K,) bool, optional, marks boxes to fill with one colour:
                frames that no face detector has examined. ``face_tracks``, (K,),
                optional, holds track numbers: all faces of a track get one key.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Raises:
            KeyError: If a data sample has no ``faces``.
            ValueError: If ``covers`` or ``face_tracks`` and ``faces`` differ in size.
        """
        modifier = self.parallel['modifier'] if mode == 'loss' else None
        inputs, _ = self.redraw(inputs, data_samples, modifier)
        return self.detector(inputs, data_samples, mode=mode)

    def redraw(
        self,
        inputs: Tensor,
        data_samples: list | None,
        modifier: nn.Module | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Replace every face in normalized frames by its modified version.

        Args:
            inputs (Tensor): As in :meth:`forward`.
            data_samples (list): As in :meth:`forward`.
            modifier (nn.Module, optional): A modifier to call directly, without the
                cover of :meth:`redraw_or_cover`.

        Returns:
            tuple[Tensor, Tensor]: The frames, and the modified faces, (K, 3, S, S) in
            [-1, 1], without filled boxes.
        """
        inputs, squares, tracks = self._find(inputs, data_samples)
        crops = self._cut(inputs, squares)
        modified = crops
        if len(crops) and modifier is not None:
            modified = modifier(crops, *self._keys(tracks, crops))
        elif len(crops):
            modified, _ = self.redraw_or_cover(
                crops, next(iter(self._keys(tracks, crops)), None), tracks
            )
        return self._put_back(inputs, modified, squares), modified

    def _keys(self, tracks: Tensor, faces: Tensor) -> list[Tensor]:
        """Draw a key for each track; return the faces' keys in a list, or no entry."""
        if not getattr(self.modifier, 'key_size', 0):
            return []
        count = int(tracks.max()) + 1
        places = tracks.to(faces.device, non_blocking=True)
        return [self.modifier.draw_keys(count, faces.device)[places]]

    def _find(
        self, inputs: Tensor, data_samples: list | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Fill unexamined frames; return the frames, crop squares and tracks.

        A modifier cannot hide the faces of an unexamined frame: it would redraw the
        whole frame as one face.
        """
        named = boxes_of_samples(inputs, data_samples)
        color = self.pixels.to_frames(inputs.new_zeros(1, 3, 1, 1)).flatten()
        filled = fill_boxes(inputs, named.unexamined, color)
        return filled, square_boxes(named.boxes, self.margin), named.tracks

    def _cut(self, inputs: Tensor, boxes: Tensor) -> Tensor:
        return self.pixels.to_faces(crop_faces(inputs, boxes, self.crop_size))

    def _put_back(self, inputs: Tensor, faces: Tensor, boxes: Tensor) -> Tensor:
        faces = self.pixels.to_frames(faces.to(inputs.dtype))
        return paste_faces(inputs, faces, boxes, self.feather)

    def train_step(
        self, data: dict, optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """One iteration of the game; :attr:`phase` decides which networks learn.

        Args:
            data (dict): A batch of the detector (``inputs``, ``data_samples``) and
                ``faces``: a list of face batches, one for each step of the
                discriminator, each with ``images`` (B, 3, S, S), uint8 or in
                [-1, 1], and ``labels`` (B,). M uses the last one.
            optim_wrapper (OptimWrapperDict): Optimizers, named as :attr:`learners`.

        Returns:
            dict[str, Tensor]: Scalars to log. ``loss`` is the loss of M and A, or that
            of D if only D learns.
        """
        phase = self.phase
        batch = dict(inputs=data['inputs'], data_samples=data['data_samples'])
        batch = self.data_preprocessor(batch, True)
        inputs, samples = batch['inputs'], batch['data_samples']
        faces = [
            faces_on(inputs.device, faces)
            for faces in data['faces']
            if phase.needs_faces
        ]
        logs: dict[str, Tensor] = {}

        both = (self.parallel, optim_wrapper, 'modifier', 'detector')
        with optimizer_contexts(*both):
            modified = None
            own: dict[str, Tensor] = {}
            if phase.modifier_learns == 'game':
                inputs, modified, own = self._redraw_both(inputs, samples, faces[-1][0])
            elif phase.modifier_learns == 'reconstruction':
                modified = self.parallel['modifier'](faces[-1][0])
            elif phase.detector_sees_modified and phase.detector_learns:
                with torch.no_grad():
                    inputs, _ = self.redraw(inputs, samples)
            if modified is not None:
                own |= self.modifier.pass_losses()

        if phase.discriminator_learns != 'nothing':
            for index, (original, labels) in enumerate(faces, 1):
                seen = None
                if phase.discriminator_learns == 'game':
                    # For its own step, M has already redrawn the last batch.
                    held = modified
                    if index < len(faces) or held is None:
                        held = self._redraw_held(original)
                    seen = shrunk(held, self._shrinks)
                logs |= discriminator_step(
                    discriminator_parts(self.discriminator),
                    self.parallel,
                    original,
                    seen,
                    labels,
                    optim_wrapper,
                )

        if not phase.detector_learns:
            logs['loss'] = logs['loss_discriminator']
            return logs

        with optimizer_contexts(*both):
            losses = self.parallel['detector'](inputs, samples, mode='loss')
            loss, detector_logs = self.parse_losses(losses)
            for name, value in own.items():
                if name.startswith('loss'):
                    loss = loss + value
                logs[name] = value.detach()
            if modified is not None:
                original, labels = faces[-1]
                loss_l1 = self.structure_loss(modified, original)
                loss = loss + loss_l1
                logs['loss_structure'] = loss_l1.detach()
                logs['pixel_change'] = (modified - original).abs().mean().detach()
            if phase.modifier_learns == 'game':
                assert self.discriminator is not None  # the hook checks this
                with held_still(self.discriminator):
                    loss_adv = self.adversarial_loss(
                        self.discriminator, modified, original, labels
                    )
                loss = loss + loss_adv
                logs['loss_adversarial'] = loss_adv.detach()
        modifier_and_detector_step(self, loss, optim_wrapper)
        detector_logs['loss'] = loss.detach()
        return {**detector_logs, **logs}

    def _redraw_both(
        self, inputs: Tensor, samples: list, originals: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Redraw the faces of the clips and those of a face batch in one pass of M.

        Returns:
            tuple: The frames, the modified face batch, and the temporal loss of M.
        """
        inputs, squares, tracks = self._find(inputs, samples)
        crops = self._cut(inputs, squares)
        # The face batch follows the crops of the clips.
        both = torch.cat([crops, originals.to(crops)])
        alone = torch.arange(len(originals)) + len(tracks)
        keys = self._keys(torch.cat([tracks, alone]), both)
        drawn, modified = self.parallel['modifier'](both, *keys).split(
            [len(squares), len(originals)]
        )
        own = {}
        if self.temporal_loss is not None:
            pairs = neighbours(squares, tracks).to(crops.device, non_blocking=True)
            own['loss_temporal'] = self.temporal_loss(drawn, crops, pairs)
        return self._put_back(inputs, drawn, squares), modified, own

    @torch.no_grad()
    def _redraw_held(self, originals: Tensor) -> Tensor:
        return self.modifier(originals)


def _build(part: nn.Module | dict | None, **kwargs: Any) -> Any:
    if part is None or isinstance(part, nn.Module):
        return part
    return MODELS.build(ConfigDict(**part, **kwargs))
