"""Faces that a modifier would let through are covered."""

import pytest
import torch

from mmanon.models.modifiers import BaseModifier, IdentityModifier, LearnedModifier
from mmanon.models.modifiers.covering import LEAST_CHANGE, redraw_or_cover

MARGIN = 0.5  # the face box is the middle 8 of 16 pixels


class Shift(LearnedModifier):
    """Moves every pixel by a fixed amount, or a list of them, one for each face."""

    def __init__(self, amount, updates=1):
        super().__init__()
        self.amount = torch.as_tensor(amount).view(-1, 1, 1, 1)
        for _ in range(updates):
            self.record_update()

    def modify(self, faces):
        return faces + self.amount


def some_faces(count=2):
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0)) / 2


def test_all_faces_are_covered_while_a_modifier_is_untrained():
    drawn, covered = redraw_or_cover(Shift(0.4, updates=0), some_faces(), MARGIN)

    assert covered.all()
    assert not drawn.any()  # mid-grey


def test_a_face_that_is_hardly_changed_is_covered_and_the_others_are_not():
    faces = some_faces(3)
    modifier = Shift([0.9 * LEAST_CHANGE, 1.1 * LEAST_CHANGE, 0.0])

    drawn, covered = redraw_or_cover(modifier, faces, MARGIN)

    assert covered.tolist() == [True, False, True]
    assert not drawn[covered].any()
    torch.testing.assert_close(drawn[1], faces[1] + 1.1 * LEAST_CHANGE)


@pytest.mark.parametrize('where, covers', [('margin', True), ('face', False)])
def test_the_face_has_to_change_whatever_becomes_of_its_margin(where, covers):
    amount = torch.zeros(1, 3, 16, 16)
    amount[..., 4:12, 4:12] = 1.5 * LEAST_CHANGE
    if where == 'margin':
        amount = 0.8 * (amount == 0)
    modifier = Shift(0.0)
    modifier.amount = amount

    _, covered = redraw_or_cover(modifier, some_faces(1), MARGIN)

    assert covered.item() == covers


@pytest.mark.parametrize('size', [1, 2, 3, 5])
@pytest.mark.parametrize('margin', [0.0, 0.6, 4.0])
def test_crops_of_any_size_and_margin_have_a_face(size, margin):
    _, covered = redraw_or_cover(Shift(0.4), torch.zeros(1, 3, size, size), margin)

    assert not covered.any()


def test_a_face_that_becomes_not_a_number_is_covered():
    drawn, covered = redraw_or_cover(Shift(float('nan')), some_faces(1), MARGIN)

    assert covered.all()
    assert drawn.isfinite().all()


@pytest.mark.parametrize('modifier', [IdentityModifier(), Shift(0.0, updates=0)])
def test_no_face_is_no_work(modifier: BaseModifier):
    drawn, covered = redraw_or_cover(modifier, some_faces(0), MARGIN)

    assert drawn.shape == (0, 3, 16, 16) and covered.shape == (0,)


def test_the_identity_is_what_its_user_asked_for():
    faces = some_faces()

    drawn, covered = redraw_or_cover(IdentityModifier(), faces, MARGIN)

    assert torch.equal(drawn, faces) and not covered.any()
