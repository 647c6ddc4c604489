from types import SimpleNamespace

import torch

from mmanon.engine.hooks import HeadPictureHook
from mmanon.models.modifiers import InpaintingModifier


def test_a_picture_has_a_row_of_portraits_and_one_for_each_kind_of_key():
    torch.manual_seed(0)
    modifier = InpaintingModifier(32, 3, 2, base_channels=8).train()
    modifier.record_update()
    drawn = {}
    runner = SimpleNamespace(
        iter=9,
        model=SimpleNamespace(average=modifier),
        visualizer=SimpleNamespace(
            add_image=lambda name, image, step: drawn.update({name: (image, step)})
        ),
    )
    batch = dict(image=torch.randint(0, 256, (5, 3, 48, 48)).byte())
    hook = HeadPictureHook(interval=10, num_heads=4)

    hook.after_train_iter(runner, 8, batch)
    assert drawn  # the tenth iteration
    image, step = drawn['heads']
    # Tiles of 32 pixels, and two of a frame around each.
    assert image.shape == (4 * 34 + 2, 4 * 34 + 2, 3)
    assert step == 10
    assert modifier.training

    drawn.clear()
    runner.iter = 10
    hook.after_train_iter(runner, 9, batch)
    assert not drawn
