import torch
from torch import Tensor

from mmanon.models.pretraining.portrait_views import (
    Motion,
    degrade,
    hold_drawn,
    hold_objects,
    nudged,
    relight,
    view_portraits,
)

PLACES = torch.tensor(
    [[0.4, 0.42], [0.6, 0.42], [0.5, 0.52], [0.42, 0.62], [0.58, 0.62]]
)


def dots(place: Tensor, side: int = 96) -> Tensor:
    """A soft white dot on black, (1, 3, S, S)."""
    line = (torch.arange(side) + 0.5) / side
    away = (line - place[0]).square()[None] + (line - place[1]).square()[:, None]
    return ((-away / 0.02**2).exp() * 2 - 1).expand(1, 3, side, side)


def brightest(view: Tensor) -> Tensor:
    light = (view.mean(0) + 1).square()
    line = (torch.arange(len(light)) + 0.5) / len(light)
    return torch.stack([(light.sum(0) * line).sum(), (light.sum(1) * line).sum()]) / (
        light.sum()
    )


def test_landmarks_move_with_the_pixels():
    torch.manual_seed(0)
    for index in (0, 2, 3):
        portraits = dots(PLACES[index]).repeat(12, 1, 1, 1)
        views, places = view_portraits(
            portraits, PLACES.expand(12, 5, 2), 64, Motion(expression=0.0)
        )
        # Mirrored ones have the other side's landmark there.
        other = {0: 1, 2: 2, 3: 4}[index]
        for view, found in zip(views, places, strict=True):
            away = torch.stack([found[index], found[other]]) - brightest(view)
            assert away.norm(dim=1).min() < 0.02


def test_the_left_landmarks_stay_left_when_mirrored():
    torch.manual_seed(0)
    _, places = view_portraits(
        torch.zeros(40, 3, 32, 32), PLACES.expand(40, 5, 2), 32, Motion(turn=10.0)
    )
    assert (places[:, 0, 0] < places[:, 1, 0]).all()
    assert (places[:, 3, 0] < places[:, 4, 0]).all()


def test_another_expression_moves_the_mouth_and_leaves_the_edge():
    torch.manual_seed(0)
    still = Motion(turn=0.0, scale=0.0, shift=0.0, expression=0.0)
    moved = Motion(turn=0.0, scale=0.0, shift=0.0, expression=0.3)
    portraits = torch.rand(8, 3, 64, 64) * 2 - 1
    landmarks = PLACES.expand(8, 5, 2)
    torch.manual_seed(1)
    before, _ = view_portraits(portraits, landmarks, 64, still)
    torch.manual_seed(1)
    after, _ = view_portraits(portraits, landmarks, 64, moved)

    change = (before - after).abs().mean((0, 1))
    assert change[36:44, 26:38].mean() > 0.1
    assert change[:4].max() < 1e-3


def test_light_and_camera_stay_in_range_and_differ_by_view():
    torch.manual_seed(0)
    views = torch.full((6, 3, 32, 32), 0.2)
    for seen in (relight(views), degrade(views)):
        assert seen.shape == views.shape
        assert seen.abs().max() <= 1
    means = relight(views).mean((1, 2, 3))
    assert means.std() > 0.02


def test_what_is_held_changes_pixels_where_it_is_said_to_be_and_nowhere_else():
    torch.manual_seed(0)
    views = torch.rand(64, 3, 48, 48) * 2 - 1
    shown, where = hold_objects(views, PLACES.expand(64, 5, 2))

    nothing = (where == 0).expand_as(views)
    assert torch.equal(shown[nothing], views[nothing])
    held = where.amax((1, 2, 3)) > 0.9
    assert 0.4 < held.float().mean() < 0.9
    change = (shown - views).abs().mean(1, True)
    assert change[where > 0.9].mean() > 0.2
    assert 0.01 < where[held].mean() < 0.3


def test_the_next_frame_moves_a_little():
    torch.manual_seed(0)
    views = torch.zeros(8, 3, 64, 64)
    line = (torch.arange(64) + 0.5) / 32 - 1
    still = torch.stack(torch.meshgrid(line, line, indexing='xy'), -1)
    away = (nudged(views) - still).norm(dim=-1)
    assert 0.001 < away.mean() < 0.05


def test_a_drawn_thing_is_held_at_the_mouth_and_its_place_is_told():
    torch.manual_seed(0)
    count, side = 40, 64
    things = torch.zeros(count, 4, 128, 128, dtype=torch.uint8)
    # A red spot where the mouth of whoever holds it is.
    things[:, 0, 73:86, 58:70] = 255
    things[:, 3, 73:86, 58:70] = 255
    views = -torch.ones(count, 3, side, side)
    before = torch.zeros(count, 1, side, side)
    places = PLACES.expand(count, 5, 2)
    shown, objects = hold_drawn(views, places, before, things)

    held = objects.amax((1, 2, 3)) > 0.5
    assert 8 < held.sum() < 32
    mouth = (PLACES[3:].mean(0) * side).long()
    assert (objects[held][:, 0, mouth[1], mouth[0]] > 0.9).all()
    assert torch.equal(shown[~held], views[~held])
    red = shown[held].amax((2, 3))
    assert (red[:, 0] > red[:, 1] + 0.3).all()
    # Nothing changes where nothing is held.
    assert ((shown - views).abs().amax(1, True)[objects == 0] == 0).all()


def test_what_is_held_already_stays_told():
    torch.manual_seed(0)
    before = torch.zeros(4, 1, 32, 32)
    before[:, :, :8] = 1
    _, objects = hold_drawn(
        torch.zeros(4, 3, 32, 32),
        PLACES.expand(4, 5, 2),
        before,
        torch.zeros(4, 4, 16, 16, dtype=torch.uint8),
    )
    assert torch.equal(objects, before)
