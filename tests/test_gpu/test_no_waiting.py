"""Between the copy of a batch and the optimizers' steps nothing waits for the GPU."""

from contextlib import contextmanager

import pytest
import torch
from gpu import HERE
from mmengine.optim import OptimWrapper, OptimWrapperDict
from tiny import (
    made_up_batch,
    made_up_faces,
    tiny_discriminator,
    tiny_modifier,
    tiny_slowonly,
)

from mmanon.models.detectors.game_steps import discriminator_step, faces_on
from mmanon.models.discriminators import discriminator_parts
from mmanon.models.layers.modes import held_still
from mmanon.registry import MODELS

pytestmark = pytest.mark.gpu

BOTTLENECK = dict(
    type='mmanon.BottleneckModifier', size=12, base_channels=8, skin_guard=0.3
)


@contextmanager
def nothing_waits():
    """On a GPU whatever waits for it is an error."""
    if HERE == 'cpu':
        yield
        return
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


@pytest.mark.skipif(HERE == 'cpu', reason='PyTorch sees no CUDA device')
def test_what_waits_is_an_error():
    with pytest.raises(RuntimeError, match='synchroniz'), nothing_waits():
        torch.ones(1, device='cuda').item()


@pytest.mark.parametrize(
    'modifier', [tiny_modifier(), BOTTLENECK], ids=lambda m: m['type']
)
def test_crop_modifier_paste_and_the_discriminators_step(modifier):
    model = MODELS.build(
        dict(
            type='mmanon.AnonymizedDetector',
            detector=tiny_slowonly(),
            modifier=modifier,
            discriminator=tiny_discriminator(),
            adversarial_loss=dict(type='mmanon.NegatedClassifierLoss', shrinks=[1, 2]),
            temporal_loss=dict(type='mmanon.FlickerLoss'),
            crop_size=32,
            margin=0.3,
        )
    ).to(HERE)
    model.train()
    optimizers = OptimWrapperDict(
        **{
            name: OptimWrapper(torch.optim.Adam(part.parameters()))
            for name, part in model.learners.items()
        }
    )
    batch = model.data_preprocessor(made_up_batch(), True)
    for sample in batch['data_samples']:
        sample.set_metainfo(dict(face_tracks=[0] * len(sample.faces)))
    faces = made_up_faces()
    faces['images'] = ((faces['images'] + 1) * 127.5).byte()

    def step() -> torch.Tensor:
        originals, labels = faces_on(torch.device(HERE), faces)
        frames, modified, own = model._redraw_both(
            batch['inputs'], batch['data_samples'], originals
        )
        discriminator_step(
            discriminator_parts(model.discriminator),
            model.parallel,
            originals,
            modified,
            labels,
            optimizers,
        )
        with held_still(model.discriminator):
            loss = model.adversarial_loss(
                model.discriminator, modified, originals, labels
            )
        loss = loss + frames.square().mean() + model.structure_loss(modified, originals)
        own |= model.modifier.pass_losses()
        loss = loss + sum(own[name] for name in own if name.startswith('loss'))
        loss.backward()
        optimizers['modifier'].step()
        return loss.detach()

    step()  # what is worked out once, such as the weights that cut faces
    before = [one.clone() for one in model.modifier.parameters()]
    with nothing_waits():
        losses = torch.stack([step() for _ in range(4)])
    assert losses.isfinite().all()
    moved = [
        not torch.equal(one, other)
        for one, other in zip(before, model.modifier.parameters(), strict=True)
    ]
    assert any(moved)
