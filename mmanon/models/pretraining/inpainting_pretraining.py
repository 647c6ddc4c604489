"""How an inpainting modifier learns to draw heads, before any game."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmanon.models.modifiers.inpainting_modifier import (
    CodeEncoder,
    InpaintingModifier,
    rate_of,
)
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE

from .critics import LandmarkNet, RealismCritic, aligned
from .portrait_views import (
    Motion,
    degrade,
    hold_objects,
    nudged,
    relight,
    view_portraits,
)

__all__ = ['InpaintingPretraining']


@MODELS.register_module()
class InpaintingPretraining(BaseModel):
    """Teaches a modifier to draw heads from portraits.

    Each portrait is seen in two views. From one, an encoder that is thrown away
    afterwards learns who it is, as a key (a variational autoencoder of keys, Kingma and
    Welling 2014); into what is around the head of the other, the modifier draws the
    person again with that key, and somebody else with a key drawn at random. A critic
    tells drawn heads from real ones (Goodfellow et al. 2014, with hinge losses). Drawn
    ones must have the landmarks of the face before, and somebody else must not be known
    by a recognizer. What is held before faces in training is known, and so is what the
    modifier must let through.

    Args:
        modifier (dict): Config of an :class:`InpaintingModifier`.
        recognizer (dict): Config of a face backbone whose weights are trained, such as
            :class:`MobileFaceNet`; they are left as they are.
        weights (dict, optional): Of the losses, in the place of :attr:`WEIGHTS`.
        draw_first (int): Iterations before the critic is asked; by then there is
            something to tell. Defaults to 300.
        momentum (float): What a step weighs in the average of the modifier's weights,
            which is what is kept. Defaults to 0.003.
        log_interval (int): Losses are told every so many steps: each time waits for the
            device. Defaults to 50.

    Raises:
        ValueError: When ``weights`` has a name that is unknown.
    """

    WEIGHTS = dict(
        pixels=4.0,
        features=2.0,
        face_features=2.0,
        realism=1.0,
        landmarks=3.0,
        places=3.0,
        same=1.0,
        other=1.5,
        apart=1.0,
        objects=2.0,
        rate=0.05,
        key_rate=0.002,
        steady=2.0,
    )

    def __init__(
        self,
        modifier: dict,
        recognizer: dict,
        weights: dict[str, float] | None = None,
        draw_first: int = 300,
        momentum: float = 0.003,
        log_interval: int = 50,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        unknown = set(weights or {}) - set(self.WEIGHTS)
        if unknown:
            raise ValueError(
                f'weights knows {sorted(self.WEIGHTS)}, not {sorted(unknown)}'
            )
        self.weights = {**self.WEIGHTS, **(weights or {})}
        self.modifier: InpaintingModifier = MODELS.build(modifier)
        self.key_encoder = CodeEncoder(self.modifier.look_size, 32)
        self.critic = RealismCritic(self.modifier.size)
        self.landmark_net = LandmarkNet()
        self.recognizer = MODELS.build(recognizer).requires_grad_(False)
        for part in (self.critic, self.recognizer):
            part.to(memory_format=torch.channels_last)
        average = copy.deepcopy(self.modifier).requires_grad_(False)
        # Named as in the game, so that a checkpoint is taken apart in the same way.
        self.modifier_ema = nn.ModuleDict(dict(module=average))
        self.draw_first, self.momentum = draw_first, momentum
        self.log_interval = log_interval
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))
        # On the host, since asking the buffer waits for the device; -1 until asked.
        self._step = -1
        self.register_buffer(
            'template',
            torch.tensor((TEMPLATE + 0.5) / TEMPLATE_SIDE, dtype=torch.float32),
            persistent=False,
        )

    @property
    def average(self) -> InpaintingModifier:
        """The modifier to use: the average over the steps."""
        average = self.modifier_ema['module']
        assert isinstance(average, InpaintingModifier)
        return average

    def train(self, mode: bool = True) -> InpaintingPretraining:
        super().train(mode)
        self.recognizer.eval()
        self.average.eval()
        return self

    def init_weights(self) -> None:
        """Begin all networks, and the average at the modifier's weights."""
        super().init_weights()
        self.average.load_state_dict(self.modifier.state_dict())

    def train_step(
        self, data: dict[str, Tensor], optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """One step of the critics, and one of the modifier.

        Args:
            data (dict): ``image``, uint8 (K, 3, P, P), and ``landmarks``, (K, 5, 2) in
                parts of the side.
            optim_wrapper (OptimWrapperDict): ``drawing`` and ``critics``.
        """
        if self._step < 0:
            self._step = int(self.steps)
        images = data['image'].to(self.template.device, non_blocking=True)
        landmarks = data['landmarks'].to(self.template.device, non_blocking=True)
        portraits = images.float() / 127.5 - 1
        size = self.modifier.size
        with torch.no_grad():
            views, places = view_portraits(portraits, landmarks, size, Motion())
            clean = degrade(relight(views, places))
            shown, objects = hold_objects(clean, places)
            others, _ = view_portraits(
                portraits, landmarks, 64, Motion(10.0, 0.1, 0.03, 0.1)
            )
            others = relight(others, places)
            nudge = nudged(shown)
        device = portraits.device.type
        # Places need more digits than bfloat16 has, so that they are found before.
        with torch.autocast(device, torch.bfloat16, enabled=device == 'cuda'):
            drawn = self._draw(shown, others, objects, nudge)
            critics = self._judge(drawn, shown, clean, places)
            self._update(optim_wrapper['critics'], critics)
            for part in (self.critic, self.landmark_net):
                part.requires_grad_(False)
            losses = self._losses(drawn, shown, clean, objects, places)
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
        """Let the average follow; at first by the plain mean of the steps."""
        weight = max(self.momentum, 1 / (self._step + 1))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.modifier.parameters()), weight
        )
        for kept, new in zip(
            self.average.buffers(), self.modifier.buffers(), strict=True
        ):
            kept.copy_(new)

    def _draw(
        self, shown: Tensor, others: Tensor, objects: Tensor, nudge: Tensor
    ) -> dict[str, Tensor]:
        modifier = self.modifier
        mean, log_variance = modifier.code(shown)
        key, key_variance = self.key_encoder(others)
        noise = torch.randn_like(mean)
        code = mean + noise * (log_variance / 2).exp()
        look = key + torch.randn_like(key) * (key_variance / 2).exp()
        # In one pass: the person again, somebody else, and that one in the next frame,
        # where all has moved a little.
        other = torch.randn_like(look)
        later = F.grid_sample(shown, nudge, padding_mode='border', align_corners=False)
        later = later + 0.02 * torch.randn_like(later)
        later_mean, later_variance = modifier.code(later)
        drawn = modifier.draw(
            torch.cat([shown, shown, later]),
            torch.cat([code, code, later_mean + noise * (later_variance / 2).exp()]),
            torch.cat([look, other, other]),
        )
        again, else_, else_later = drawn.chunk(3)
        moved = F.grid_sample(else_, nudge, padding_mode='border', align_corners=False)
        share = modifier.head * (1 - objects)
        return dict(
            mean=mean,
            log_variance=log_variance,
            key=key,
            key_variance=key_variance,
            again=again,
            again_in=torch.lerp(shown, again, share),
            else_in=torch.lerp(shown, else_, share),
            kept=modifier.keeps(shown),
            told=modifier.landmarks(code),
            jump=(else_later - moved).abs().mean(1),
        )

    def _judge(
        self, drawn: dict[str, Tensor], shown: Tensor, clean: Tensor, places: Tensor
    ) -> dict[str, Tensor]:
        """Losses of the critics."""
        images = torch.cat(
            [shown, drawn['again_in'].detach(), drawn['else_in'].detach()]
        )
        whole, patches, _ = self.critic(images)
        losses = []
        for answers in (whole.float(), patches.float()):
            real, *fake = answers.chunk(3)
            losses.append(F.relu(1 - real).mean() + F.relu(1 + torch.cat(fake)).mean())
        found = self.landmark_net(clean)
        return dict(
            loss_critic=losses[0] + losses[1],
            loss_find=10 * (found - places).abs().mean(),
        )

    def _losses(
        self,
        drawn: dict[str, Tensor],
        shown: Tensor,
        clean: Tensor,
        objects: Tensor,
        places: Tensor,
    ) -> dict[str, Tensor]:
        """Losses of the modifier and of the encoder of keys."""
        weights = self.weights
        head = self.modifier.head
        again, again_in, else_in = (
            drawn[name] for name in ('again', 'again_in', 'else_in')
        )
        pixels = ((again - clean).abs() * head).sum((1, 2, 3)) / (3 * head.sum())
        whole, patches, features = self.critic(torch.cat([again_in, else_in, shown]))
        count = len(shown)
        match = sum(
            _difference(layer[:count], layer[2 * count :]) for layer in features
        ) / len(features)
        realism = -(
            whole[: 2 * count].float().mean() + patches[: 2 * count].float().mean()
        )
        if self._step < self.draw_first:
            realism = realism * 0
        found = self.landmark_net(torch.cat([again_in, else_in]))
        eyes = (places[:, 0] - places[:, 1]).norm(dim=1).clamp(min=0.05)
        off = (found - places.repeat(2, 1, 1)).norm(dim=2).mean(1) / eyes.repeat(2)
        away = (drawn['told'] - places).norm(dim=2).mean(1) / eyes
        with torch.no_grad():
            person, person_seen = self._recognize(clean, places)
        name, seen = self._recognize(
            torch.cat([again_in, else_in]), places.repeat(2, 1, 1)
        )
        again_name, else_name = name.chunk(2)
        face = sum(
            _difference(layer[:count], wanted)
            for layer, wanted in zip(seen, person_seen, strict=True)
        ) / len(seen)
        likeness = (person * else_name).sum(1)
        apart = else_name @ else_name.T
        apart = apart - torch.eye(count, device=apart.device) * 2
        kept = drawn['kept'].float().clamp(1e-4, 1 - 1e-4)
        with torch.autocast(shown.device.type, enabled=False):
            wrong = F.binary_cross_entropy(kept, objects.float(), reduction='none')
        rate = rate_of(drawn['mean'], drawn['log_variance']).mean()
        key_rate = rate_of(drawn['key'], drawn['key_variance']).mean()
        return dict(
            loss_pixels=weights['pixels'] * pixels.mean(),
            loss_features=weights['features'] * match,
            loss_face_features=weights['face_features'] * face,
            loss_realism=weights['realism'] * realism,
            loss_landmarks=weights['landmarks'] * off.mean(),
            loss_places=weights['places'] * away.mean(),
            loss_same=weights['same'] * (1 - (person * again_name).sum(1)).mean(),
            loss_other=weights['other'] * F.relu(likeness).mean(),
            loss_apart=weights['apart'] * F.relu(apart - 0.1).mean(),
            loss_objects=weights['objects'] * (wrong * head).sum() / head.sum() / count,
            loss_steady=weights['steady']
            * (drawn['jump'] * head).sum((1, 2)).mean()
            / head.sum(),
            # The code is dear once it is of use.
            loss_rate=weights['rate'] * min(1.0, 0.1 + self._step / 1500) * rate,
            loss_key_rate=weights['key_rate'] * key_rate,
            rate=rate.detach(),
            key_rate=key_rate.detach(),
            off=off[count:].mean().detach(),
            likeness=likeness.mean().detach(),
        )

    def _recognize(self, crops: Tensor, places: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Embeddings of length 1, and features on the way, of aligned faces."""
        with torch.autocast(crops.device.type, enabled=False):
            faces = aligned(crops, places, self.template, 112)
        seen: list[Tensor] = []
        hooks = [
            layer.register_forward_hook(lambda _, __, out: seen.append(out))
            for layer in self._eyes
        ]
        try:
            names = self.recognizer(faces.to(memory_format=torch.channels_last))
        finally:
            for hook in hooks:
                hook.remove()
        return F.normalize(names.float()), seen

    @property
    def _eyes(self) -> list[nn.Module]:
        """Layers of the recognizer whose features are compared."""
        convs = [m for m in self.recognizer.modules() if isinstance(m, nn.Conv2d)]
        # Near a sixth, a third and a half of the way: edges, parts, and a face.
        return [convs[len(convs) * part // 12] for part in (2, 4, 6)]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError('it trains a modifier, which is used by itself')


def _difference(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference, in parts of what is wanted."""
    other = other.detach().float()
    return (one.float() - other).abs().mean() / other.abs().mean().clamp(min=1e-4)
