"""The optimizer steps of a training iteration: of D, and of M and A together."""

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
    """Set mixed precision, and avoid unnecessary gradient synchronization.

    Args:
        networks (Mapping): The networks or their data-parallel wrappers, by name.
        optim_wrapper (OptimWrapperDict): Optimizers by these names; some may be absent.
        *names (str): The networks to call in the ``with`` block.
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
    """Train D to name original and, if given, modified faces in one pass.

    Args:
        parts (Mapping): The parts of D by the names of their optimizers, from
            :func:`mmanon.models.discriminators.discriminator_parts`.
        networks (Mapping): The parts or their data-parallel wrappers, by name.
        original (Tensor): Faces, (B, 3, S, S) in [-1, 1].
        modified (Tensor, optional): The same faces, modified; they get no gradient.
        labels (Tensor): Their identities, (B,).
        optim_wrapper (OptimWrapperDict): The optimizer of each part.

    Returns:
        dict[str, Tensor]: ``loss_discriminator``, ``acc_original`` and
        ``acc_modified``. If D has several parts, these are means, and the figures of
        each part are included, such as ``acc_modified.0``.
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
        # The mean over both kinds, times their number, is the sum of their means.
        loss = answer['loss'] * len(kinds)
        own = found[name.partition('.')[2]] = dict(loss_discriminator=loss.detach())
        hits = answer['logits'].detach().argmax(1).view(len(kinds), -1) == labels
        for kind, hit in zip(kinds, hits, strict=True):
            own[f'acc_{kind}'] = hit.float().mean()
        wrapper.update_params(loss)
        # A discriminator that is not a FaceClassifier may not have `advance`.
        advance = getattr(part, 'advance', None)
        if advance is not None and wrapper.should_update():
            advance()
    return _logs(found)


def faces_on(
    device: torch.device, batch: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Move a face batch to a device; uint8 images become floats there.

    Args:
        device (torch.device): The device of the networks.
        batch (Mapping): ``images`` (B, 3, S, S), uint8 or in [-1, 1], and ``labels``
            (B,).

    Returns:
        tuple[Tensor, Tensor]: Images in [-1, 1] and labels (B,).
    """
    images = batch['images'].to(device, non_blocking=True)
    if images.dtype == torch.uint8:
        images = as_faces(images)
    return images, batch['labels'].to(device, non_blocking=True)


def as_faces(pixels: Tensor) -> Tensor:
    """Convert uint8 pixels to float32 in [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


def modifier_and_detector_step(
    model: AnonymizedDetector, loss: Tensor, optim_wrapper: OptimWrapperDict
) -> None:
    """Run one backward pass for M and A, and step their optimizers.

    The optimizer of the detector counts the accumulated iterations for both.

    Args:
        model (AnonymizedDetector): Its phase decides whether M learns.
        loss (Tensor): The sum of their losses, a scalar.
        optim_wrapper (OptimWrapperDict): ``detector``, and ``modifier`` if M learns.
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
