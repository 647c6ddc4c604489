import torch

from mmanon.models.pretraining.backgrounds import only_head, random_backgrounds
from mmanon.models.pretraining.scenes import make_scene

PLACES = torch.tensor(
    [[0.4, 0.42], [0.6, 0.42], [0.5, 0.52], [0.42, 0.62], [0.58, 0.62]]
)
COUNT, SIDE = 24, 32


def scene_of_grey_people():
    """People of one grey, half of the picture wide, in front of a black wall."""
    torch.manual_seed(0)
    portraits = torch.zeros(COUNT, 4, 48, 48)
    portraits[:, :3] = -1
    portraits[:, :3, :, 12:36] = 0
    portraits[:, 3, :, 12:36] = 1
    return make_scene(portraits, PLACES.repeat(COUNT, 1, 1), SIDE)


def test_objects_and_nothing_else_tell_the_shown_view_from_the_clean_one():
    scene = scene_of_grey_people()
    assert scene.clean.shape == scene.shown.shape == (COUNT, 3, SIDE, SIDE)
    change = (scene.shown - scene.clean).abs().amax((1, 2, 3))
    empty = scene.objects.amax((1, 2, 3)) == 0
    assert 0 < empty.sum() < COUNT
    # The light depends a little on the mean of the picture.
    assert change[empty].max() == 0
    assert change[~empty].mean() > 0.2


def test_more_than_half_of_the_people_are_before_another_background():
    scene = scene_of_grey_people()
    corner = scene.clean[:, :, :4, :4].amax((1, 2, 3))
    assert 0.35 < (corner > -0.7).float().mean() < 0.95


def test_the_other_view_shows_the_head_without_wall_and_clothes():
    scene = scene_of_grey_people()
    assert scene.portraits.shape == (COUNT, 4, SIDE, SIDE)
    opacity = scene.portraits[:, 3]
    assert opacity[:, 14:20, 14:18].min() > 0.9
    assert opacity[:, :, :3].mean() < 0.05
    assert opacity[:, -1].mean() < 0.02
    assert not torch.equal(scene.portrait_places, scene.places)


def test_a_head_ends_below_its_chin():
    whole = torch.ones(1, 1, 100, 100)
    kept = only_head(whole, PLACES[None])[0, 0]
    assert (kept[:80] == 1).all()  # the mouth is at 0.62, and the chin at about 0.8
    assert (kept[92:] == 0).all()


def test_backgrounds_differ_and_stay_in_range():
    torch.manual_seed(0)
    walls = random_backgrounds(6, 40, torch.device('cpu'))
    assert walls.shape == (6, 3, 40, 40)
    assert walls.abs().max() <= 1
    assert walls.std((2, 3)).mean() > 0.05
    assert (walls[0] - walls[1]).abs().mean() > 0.1
