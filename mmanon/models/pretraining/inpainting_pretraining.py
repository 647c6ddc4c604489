"""Trains an inpainting modifier to draw heads, before the game."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmanon.models.layers.inpainting_networks import spots
from mmanon.models.layers.noisy_code import rate_of
from mmanon.models.modifiers.inpainting_modifier import InpaintingModifier
from mmanon.registry import DATASETS, MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE

from .backgrounds import only_head
from .comparisons import (
    difference,
    distances,
    edges,
    mean_in,
    moved,
    overlap_loss,
)
from .critics import LandmarkNet, RealismCritic, recognize
from .scenes import Scene, make_scene

__all__ = ['InpaintingPretraining']


@MODELS.register_module()
class InpaintingPretraining(BaseModel):
    """Trains a modifier on portraits to draw heads.

    The training makes two views of each portrait (see :mod:`.scenes`). Into the
    surroundings of the first view, the modifier draws the head of the second, with the
    landmarks, expression and light of the first, which it knows from the code alone.
    So the person comes from the second view, and the code needs no identity. A drawn
    head must look like the first view, and have the same features within a recognizer.
    The training draws objects in front of faces, so it knows which pixels the modifier
    must keep.

    After ``draw_first`` iterations the modifier also draws the head of another portrait
    of the batch. A critic then separates drawn heads from real ones (Goodfellow et al.
    2014, with hinge losses), and the recognizer must identify the person who is drawn
    and not the original.

    Args:
        modifier (dict): Config of an :class:`InpaintingModifier`.
        recognizer (dict): Config of a face backbone with trained weights, such as
            :class:`MobileFaceNet`; it is not trained.
        people (dict, optional): Config of a :class:`PortraitDataset` of the people that
            the modifier draws afterwards, at least as many as it holds. Without it the
            modifier keeps those that it has.
        weights (dict, optional): Weights of losses that replace those of
            :attr:`WEIGHTS`.
        draw_first (int): First iterations, in which the modifier only reconstructs
            people, without a critic and without other people. Defaults to 300.
        momentum (float): Weight of a step in the average of the modifier's weights,
            which checkpoints contain. Defaults to 0.003.
        bfloat16 (bool, optional): Whether the networks compute in bfloat16, which takes
            about half the time on GPUs and some CPUs. Defaults to True on a GPU.
        log_interval (int): Steps between logs of the losses; each log waits for the
            device. Defaults to 50.
        data_preprocessor (dict, optional): As of mmengine's ``BaseModel``.
        init_cfg (dict, optional): As of mmengine's ``BaseModel``.

    Raises:
        ValueError: When ``weights`` has an unknown name, or ``people`` are
            too few.
    """

    WEIGHTS = dict(
        pixels=4.0,
        edges=3.0,
        features=2.0,
        face_features=2.0,
        realism=1.0,
        landmarks=3.0,
        places=6.0,
        other=1.5,
        meant=1.2,
        apart=1.0,
        objects=2.0,
        rate=0.02,
        steady=2.0,
    )

    def __init__(
        self,
        modifier: dict,
        recognizer: dict,
        people: dict | None = None,
        weights: dict[str, float] | None = None,
        draw_first: int = 300,
        momentum: float = 0.003,
        bfloat16: bool | None = None,
        log_interval: int = 50,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        unknown = set(weights or {}) - set(self.WEIGHTS)
        if unknown:
            raise ValueError(
                f'unknown weights: {sorted(unknown)}; choose from '
                f'{sorted(self.WEIGHTS)}'
            )
        self.people = people
        self.weights = {**self.WEIGHTS, **(weights or {})}
        self.modifier: InpaintingModifier = MODELS.build(modifier)
        self.critic = RealismCritic(self.modifier.size)
        self.landmark_net = LandmarkNet()
        self.recognizer = MODELS.build(recognizer).requires_grad_(False)
        for part in (self.critic, self.recognizer):
            part.to(memory_format=torch.channels_last)
        average = copy.deepcopy(self.modifier).requires_grad_(False)
        # Named as in the game, so that the export of a checkpoint finds it.
        self.modifier_ema = nn.ModuleDict(dict(module=average))
        self.draw_first, self.momentum = draw_first, momentum
        self.log_interval, self.bfloat16 = log_interval, bfloat16
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))
        # A copy on the host, because reading the buffer waits for the device; -1
        # until it is read.
        self._step = -1
        self.register_buffer(
            'template',
            torch.tensor((TEMPLATE + 0.5) / TEMPLATE_SIDE, dtype=torch.float32),
            persistent=False,
        )

    @property
    def average(self) -> InpaintingModifier:
        """The modifier to use afterwards: the average over the steps."""
        average = self.modifier_ema['module']
        assert isinstance(average, InpaintingModifier)
        return average

    def train(self, mode: bool = True) -> InpaintingPretraining:
        super().train(mode)
        self.recognizer.eval()
        self.average.eval()
        return self

    def init_weights(self) -> None:
        """Initialize all networks, and copy the modifier's weights to the average."""
        super().init_weights()
        if self.people is not None:
            self._learn_people(DATASETS.build(self.people))
        self.average.load_state_dict(self.modifier.state_dict())

    def _learn_people(self, portraits: Sequence[dict[str, Tensor]]) -> None:
        """Let the modifier hold the first portraits of a data set."""
        held, size = len(self.modifier.people), self.modifier.size
        if len(portraits) < held:
            raise ValueError(
                f'people has {len(portraits)} portraits, and the modifier holds '
                f"{held}: add portraits, or set the modifier's people"
            )
        for index in range(held):
            item = portraits[index]
            pixels = torch.cat([item['image'], item['opacity']])[None].float()
            pixels = F.interpolate(pixels, size, mode='bilinear', antialias=True)
            places = item['landmarks'][None]
            pixels[:, 3:] = only_head(pixels[:, 3:], places)
            self.modifier.people[index] = pixels[0].round().byte()
            self.modifier.people_places[index] = places[0]

    def train_step(
        self, data: dict[str, Tensor], optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """Update the critics, then the modifier.

        Args:
            data (dict): ``image``, uint8 (K, 3, P, P), ``opacity``, uint8 (K, 1, P, P),
                255 at the person, ``landmarks``, (K, 5, 2) as fractions of the side,
                and optionally ``thing``, uint8 (K, 4, T, T),
                see :func:`.portrait_views.hold_drawn`.
            optim_wrapper (OptimWrapperDict): ``drawing`` and ``critics``.

        Returns:
            dict: Losses and figures every ``log_interval`` steps; otherwise empty.
        """
        if self._step < 0:
            self._step = int(self.steps)
        images, opacity = (
            data[name].to(self.template.device, non_blocking=True)
            for name in ('image', 'opacity')
        )
        landmarks = data['landmarks'].to(self.template.device, non_blocking=True)
        portraits = torch.cat([images / 127.5 - 1, opacity / 255], 1)
        things = data.get('thing')
        if things is not None:
            things = things.to(self.template.device, non_blocking=True)
        scene = make_scene(portraits, landmarks, self.modifier.size, things)
        device = portraits.device.type
        critics: dict[str, Tensor] = {}
        # Landmarks need more precision than bfloat16, so the scene is made before.
        narrow = device == 'cuda' if self.bfloat16 is None else self.bfloat16
        with torch.autocast(device, torch.bfloat16, enabled=narrow):
            losses = self._object_losses(scene)
            drawn = self._draw(scene)
            losses.update(self._drawing_losses(drawn, scene))
            if self._step >= self.draw_first:
                drawn.update(self._draw_another(drawn, scene))
                critics = self._judge(drawn, scene)
                self._update(optim_wrapper['critics'], critics)
                for part in (self.critic, self.landmark_net):
                    part.requires_grad_(False)
                losses.update(self._playing_losses(drawn, scene))
                for part in (self.critic, self.landmark_net):
                    part.requires_grad_(True)
        self._update(optim_wrapper['drawing'], losses)
        self.modifier.record_update()
        self._average()
        self._step += 1
        self.steps += 1
        if self._step % self.log_interval:
            return {}
        return {name: value.detach() for name, value in {**critics, **losses}.items()}

    @staticmethod
    def _update(optimizer: OptimWrapper, losses: dict[str, Tensor]) -> None:
        total = sum(value for name, value in losses.items() if 'loss' in name)
        optimizer.update_params(total)

    @torch.no_grad()
    def _average(self) -> None:
        """Update the average; in the first steps it is their plain mean."""
        weight = max(self.momentum, 1 / (self._step + 1))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.modifier.parameters()), weight
        )
        for kept, new in zip(
            self.average.buffers(), self.modifier.buffers(), strict=True
        ):
            kept.copy_(new)

    def _draw(self, scene: Scene) -> dict[str, Tensor]:
        """Draw the same person again."""
        modifier, shown = self.modifier, scene.shown
        mean, log_variance = modifier.code(shown)
        noise = torch.randn_like(mean)
        code = mean + noise * (log_variance / 2).exp()
        # The true landmarks: those of the code are off by some pixels, and a head that
        # is compared with a shifted one becomes soft.
        again = modifier.draw(
            shown, code, scene.portraits, scene.portrait_places, scene.places
        ).float()
        return dict(
            noise=noise,
            code=code,
            again=again,
            again_in=torch.lerp(shown, again, modifier.head * (1 - scene.objects)),
            told=modifier.landmarks(code),
            rate=rate_of(mean, log_variance).mean(),
        )

    def _draw_another(
        self, drawn: dict[str, Tensor], scene: Scene
    ) -> dict[str, Tensor]:
        """Draw the next portrait's person, and that one in a slightly moved frame."""
        modifier, shown = self.modifier, scene.shown
        person = scene.portraits.roll(1, 0), scene.portrait_places.roll(1, 0)
        if not self.weights['steady']:
            now = modifier.draw(shown, drawn['code'], *person)
            jump = now.new_zeros(len(now), *now.shape[2:])
        else:
            later = moved(shown, scene.nudge)
            later = later + 0.02 * torch.randn_like(later)
            mean, log_variance = modifier.code(later)
            code = mean + drawn['noise'] * (log_variance / 2).exp()
            now, then = modifier.draw(
                torch.cat([shown, later]),
                torch.cat([drawn['code'], code]),
                *(torch.cat([each, each]) for each in person),
            ).chunk(2)
            jump = (then - moved(now, scene.nudge)).abs().mean(1)
        other_in = torch.lerp(shown, now.float(), modifier.head * (1 - scene.objects))
        return dict(other_in=other_in, jump=jump)

    def _judge(self, drawn: dict[str, Tensor], scene: Scene) -> dict[str, Tensor]:
        """Compute the losses of the critics."""
        images = [scene.shown, drawn['again_in'].detach(), drawn['other_in'].detach()]
        whole, patches, _ = self.critic(torch.cat(images))
        losses = []
        for answers in (whole.float(), patches.float()):
            real, *fake = answers.chunk(3)
            losses.append(F.relu(1 - real).mean() + F.relu(1 + torch.cat(fake)).mean())
        found = self.landmark_net(scene.clean)
        return dict(
            loss_critic=losses[0] + losses[1],
            loss_find=10 * (found - scene.places).abs().mean(),
        )

    def _object_losses(self, scene: Scene) -> dict[str, Tensor]:
        """Compute the loss of the pixels to keep, and what is kept of each kind."""
        head, objects = self.modifier.head, scene.objects.float()
        kept = self.modifier.keeps(scene.shown).float().clamp(1e-4, 1 - 1e-4)
        with torch.autocast(kept.device.type, enabled=False):
            wrong = F.binary_cross_entropy(kept, objects, reduction='none')
        middle = scene.places.mean(1, True)
        away = distances(middle, len(head)) / scene.eyes[:, None, None, None]
        skin = (away < 1.15) * (1 - objects)
        # Objects are smaller than faces, and the detector needs them. A face that
        # is taken for an object is shown.
        loss = mean_in(head, wrong * (1 + 2 * objects + 5 * skin))
        loss = loss + 0.3 * overlap_loss(head, kept, objects)
        kept = kept.detach()
        return dict(
            loss_objects=self.weights['objects'] * loss,
            kept_of_objects=mean_in(head * objects, kept),
            kept_of_faces=mean_in(head * skin, kept),
        )

    def _drawing_losses(
        self, drawn: dict[str, Tensor], scene: Scene
    ) -> dict[str, Tensor]:
        """Compute the losses of reconstructed people."""
        weights, head = self.weights, self.modifier.head
        # The few pixels at mouth and eyes show the expression: they weigh more.
        side, mouth = len(head), scene.places[:, 3:].mean(1, True)
        telling = 1 + 2 * spots(mouth, side, 0.1)
        telling = telling + 0.5 * spots(scene.places[:, :2], side, 0.05).sum(1, True)
        again, clean = drawn['again'], scene.clean
        off = (drawn['told'] - scene.places).norm(dim=2).mean(1) / scene.eyes
        with torch.no_grad():
            person, wanted = self._seen(clean, scene.places)
        _, seen = self._seen(drawn['again_in'], scene.places)
        # Compared with the other person in `_playing_losses`.
        drawn['person'] = person
        face = sum(map(difference, seen, wanted)) / len(seen)
        return dict(
            loss_pixels=weights['pixels']
            * mean_in(head * telling, (again - clean).abs()),
            loss_edges=weights['edges']
            * mean_in(head[:-1, :-1], (edges(again) - edges(clean)).abs()),
            loss_face_features=weights['face_features'] * face,
            loss_places=weights['places'] * off.mean(),
            # The weight of the rate grows: the code must first become useful.
            loss_rate=weights['rate']
            * min(1.0, 0.1 + self._step / 1500)
            * drawn['rate'],
            rate=drawn['rate'].detach(),
        )

    def _playing_losses(
        self, drawn: dict[str, Tensor], scene: Scene
    ) -> dict[str, Tensor]:
        """Compute the losses of drawn people by the critics and the recognizer."""
        weights, count = self.weights, len(scene.shown)
        both = torch.cat([drawn['again_in'], drawn['other_in']])
        whole, patches, features = self.critic(torch.cat([both, scene.shown]))
        match = sum(
            difference(layer[:count], layer[2 * count :]) for layer in features
        ) / len(features)
        answers = (
            whole[: 2 * count].float().mean() + patches[: 2 * count].float().mean()
        )
        found = self.landmark_net(both)
        off = (found - scene.places.repeat(2, 1, 1)).norm(dim=2).mean(1)
        off = off / scene.eyes.repeat(2)
        name, _ = self._seen(drawn['other_in'], scene.places)
        likeness = (drawn['person'] * name).sum(1)
        meant = (drawn['person'].roll(1, 0) * name).sum(1)
        apart = name @ name.T - 2 * torch.eye(count, device=name.device)
        return dict(
            loss_features=weights['features'] * match,
            loss_realism=-weights['realism'] * answers,
            loss_landmarks=weights['landmarks'] * off.mean(),
            loss_other=weights['other'] * F.relu(likeness).mean(),
            loss_meant=weights['meant'] * (1 - meant).mean(),
            loss_apart=weights['apart'] * F.relu(apart - 0.1).mean(),
            loss_steady=weights['steady']
            * mean_in(self.modifier.head, drawn['jump'][:, None]),
            off=off[count:].mean().detach(),
            likeness=likeness.mean().detach(),
            meant=meant.mean().detach(),
        )

    def _seen(self, crops: Tensor, places: Tensor) -> tuple[Tensor, list[Tensor]]:
        return recognize(self.recognizer, crops, places, self.template)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            'InpaintingPretraining only trains a modifier: call its `average` instead'
        )
