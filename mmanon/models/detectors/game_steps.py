"""The steps of a training iteration: D's, and that of M and A together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from mmanon.models.modifiers import LearnedModifier

if TYPE_CHECKING:
    from .anonymized_detector import AnonymizedDetector

__all__ = [
    'as_faces',
    'discriminator_step',
    'faces_on',
    'modifier_and_detector_step',
    'optimizer_contexts',
]


@contextmanager
def optimizer_contexts(
    networks: Mapping[str, nn.Module], optim_wrapper: OptimWrapperDict, *names: str
) -> Iterator[None]:
    """Mixed precision, and no needless gradient synchronization.

    Args:
        networks (Mapping): What each network is called through, by its name.
        optim_wrapper (OptimWrapperDict): Optimizers by these names; may lack some.
        *names (str): The networks that are about to be called.
    """
    with ExitStack() as stack:
        for name in names:
            if name in optim_wrapper:
                stack.enter_context(optim_wrapper[name].optim_context(networks[name]))
        yield


def discriminator_step(
    parts: Mapping[str, nn.Module],
    networks: Mapping[str, nn.Module],
    original: Tensor,
    modified: Tensor | None,
    labels: Tensor,
    optim_wrapper: OptimWrapperDict,
) -> dict[str, Tensor]:
    """Let D learn to name original and, when given, modified faces in one pass.

    Args:
        parts (Mapping): D's learners by the names of their optimizers, as of
            :func:`mmanon.models.discriminators.discriminator_parts`.
        networks (Mapping): What each of them is called through.
        original (Tensor): Faces, (B, 3, S, S) in [-1, 1].
        modified (Tensor, optional): The same, modified; no gradient goes there.
        labels (Tensor): Who they are, (B,).
        optim_wrapper (OptimWrapperDict): Each learner's optimizer.

    Returns:
        dict[str, Tensor]: ``loss_discriminator``, ``acc_original`` and
        ``acc_modified``; where there are several learners their means, and each
        learner's own, such as ``acc_modified.0``.
    """
    kinds = ['original'] if modified is None else ['original', 'modified']
    faces = original
    if modified is not None:
        faces = torch.cat([original, modified.detach().to(original.dtype)])
    found: dict[str, dict[str, Tensor]] = {}
    for name, part in parts.items():
        wrapper = optim_wrapper[name]
        with optimizer_contexts(networks, optim_wrapper, name):
            answer = networks[name](faces, labels.repeat(len(kinds)), mode='loss')
        # The mean over both halves, times their number, is the sum of their means.
        loss = answer['loss'] * len(kinds)
        own = found[name.partition('.')[2]] = dict(loss_discriminator=loss.detach())
        hits = answer['logits'].detach().argmax(1).view(len(kinds), -1) == labels
        for kind, hit in zip(kinds, hits, strict=True):
            own[f'acc_{kind}'] = hit.float().mean()
        wrapper.update_params(loss)
        # One that is no FaceClassifier may have nothing to take note of.
        advance = getattr(part, 'advance', None)
        if advance is not None and wrapper.should_update():
            advance()
    return _logs(found)


def faces_on(
    device: torch.device, batch: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Bring a face batch to a device, bytes before they become numbers there.

    Args:
        device (torch.device): Where the networks are.
        batch (Mapping): ``images`` (B, 3, S, S), uint8 or in [-1, 1], and ``labels``.

    Returns:
        tuple[Tensor, Tensor]: Images in [-1, 1] and labels (B,).
    """
    images = batch['images'].to(device, non_blocking=True)
    if images.dtype == torch.uint8:
        images = as_faces(images)
    return images, batch['labels'].to(device, non_blocking=True)


def as_faces(pixels: Tensor) -> Tensor:
    """Bytes as float32 in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def modifier_and_detector_step(
    model: AnonymizedDetector, loss: Tensor, optim_wrapper: OptimWrapperDict
) -> None:
    """One backward pass for both; the detector's optimizer keeps the count.

    Args:
        model (AnonymizedDetector): Its phase decides whether M learns.
        loss (Tensor): The sum of their losses, a scalar.
        optim_wrapper (OptimWrapperDict): ``detector``, and ``modifier`` if it learns.
    """
    lead = optim_wrapper['detector']
    lead.backward(lead.scale_loss(loss))
    follow = None
    if 'modifier' in optim_wrapper:
        follow = optim_wrapper['modifier']
        follow._inner_count = lead._inner_count
    if not lead.should_update():
        return
    if follow is not None and model.phase.modifier_learns != 'nothing':
        follow.step()
        follow.zero_grad()
        learned = isinstance(model.modifier, LearnedModifier)
        if learned and model.phase.modifier_learns == 'game':
            model.modifier.record_update()
        if model.modifier_ema is not None:
            model.modifier_ema.update_parameters(model.modifier)
    lead.step()
    lead.zero_grad()


def _logs(found: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    if len(found) == 1:
        return dict(next(iter(found.values())))
    logs: dict[str, Tensor] = {}
    for kind in next(iter(found.values()), ()):
        logs[kind] = torch.stack([own[kind] for own in found.values()]).mean()
        logs |= {f'{kind}.{name}': own[kind] for name, own in found.items()}
    return logs
