import pytest
import torch
from grey_mosaic import GreyMosaicModifier
from patch_modifier import PatchModifier

from mmanon.models.modifiers import BaseModifier


@pytest.mark.parametrize('modifier', [GreyMosaicModifier(), PatchModifier(channels=8)])
@pytest.mark.parametrize('count', [0, 3])
def test_faces_keep_shape_range_and_type(modifier: BaseModifier, count: int) -> None:
    faces = torch.rand(count, 3, 64, 64) * 2 - 1

    drawn = modifier(faces)

    assert drawn.shape == faces.shape and drawn.dtype == faces.dtype
    assert (drawn.abs() <= 1).all()


def test_gradients_reach_faces_and_weights() -> None:
    modifier = PatchModifier(channels=8)
    faces = torch.zeros(1, 3, 64, 64, requires_grad=True)

    modifier(faces).sum().backward()

    assert faces.grad is not None and faces.grad.abs().sum() > 0
    assert all(weight.grad is not None for weight in modifier.parameters())
