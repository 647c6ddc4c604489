import pytest
import torch
from torch import Tensor, nn

from mmanon.models.modifiers import InpaintingModifier
from mmanon.models.modifiers.inpainting_modifier import head_region

SMALL = dict(size=32, code_size=3, look_size=2, people=3, base_channels=8)
SIDE = 32


def build(kept: float | None = None, **kwargs) -> InpaintingModifier:
    """One that draws more than at first, and keeps a share of every pixel."""
    torch.manual_seed(0)
    modifier = InpaintingModifier(**{**SMALL, **kwargs})
    nn.init.normal_(modifier.decoder.last.weight, std=0.2)
    modifier.people.copy_(torch.randint(0, 256, modifier.people.shape))
    modifier.people[:, 3] = 255
    if kept is not None:
        nn.init.zeros_(modifier.share.last.weight)
        nn.init.constant_(modifier.share.last.bias, 100.0 * (1 - 2 * kept))
    return modifier.eval()


def made_up_faces(count: int = 4, side: int = SIDE) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    faces = torch.rand(count, 3, side, side, generator=generator) * 2 - 1
    return nn.functional.avg_pool2d(faces, 5, 1, 2)


def test_what_is_around_the_head_stays_as_it_is():
    faces = made_up_faces(side=48)
    drawn = build(kept=0)(faces)
    around = (head_region(48) == 0).expand_as(faces)

    assert torch.equal(drawn[around], faces[around])
    assert (drawn - faces)[~around].abs().mean() > 0.1


def test_the_face_box_lies_within_the_head():
    # A face box is the middle half of a crop of margin 0.5.
    assert (head_region(64)[16:48, 16:48] == 1).float().mean() > 0.98


def test_of_the_whole_crop_nothing_but_the_code_tells():
    modifier = build(kept=0, region='crop')
    nn.init.zeros_(modifier.encoder.code.weight)
    faces, keys = made_up_faces(2), torch.zeros(2, 5)
    drawn = modifier(faces, keys)

    assert torch.equal(drawn[0], drawn[1])
    assert (drawn - faces).abs().mean() > 0.1


def test_the_face_reaches_what_is_drawn_by_the_code_alone():
    modifier = build(kept=0)
    one = made_up_faces(1)
    other = torch.where(head_region(SIDE) > 0, -one, one)
    keys = torch.zeros(1, 5)
    told = modifier(one, keys) - modifier(other, keys)
    middle = head_region(SIDE).expand_as(told) == 1
    assert told[middle].abs().mean() > 1e-4, 'the code tells them apart'

    nn.init.zeros_(modifier.encoder.code.weight)
    told = modifier(one, keys) - modifier(other, keys)
    assert told[middle].abs().max() == 0


def keep_only(modifier: InpaintingModifier, where: Tensor, monkeypatch) -> None:
    """Let the share say that something is in front of the face there."""
    monkeypatch.setattr(
        modifier, 'keeps', lambda faces: where.expand(len(faces), 1, SIDE, SIDE)
    )


def before_a_mouth(modifier: InpaintingModifier, monkeypatch) -> Tensor:
    """Let the share say that something is in front of the mouth; where it is."""
    nn.init.zeros_(modifier.places.weight)
    nn.init.zeros_(modifier.places.bias)
    held = torch.zeros(SIDE, SIDE)
    held[20:28, 12:20] = 1
    keep_only(modifier, held, monkeypatch)
    return held.bool()


def test_what_is_in_front_of_a_mouth_comes_through(monkeypatch):
    modifier, faces = build(), made_up_faces()
    where = before_a_mouth(modifier, monkeypatch)
    drawn = modifier(faces)
    torch.testing.assert_close(drawn[..., where], faces[..., where])
    assert (drawn - faces)[..., 12:16, 10:22].abs().mean() > 0.1


@pytest.mark.parametrize('rows', [slice(12, 16), slice(1, 12)])
def test_before_the_eyes_and_above_them_nothing_comes_through(rows, monkeypatch):
    modifier, faces = build(), made_up_faces()
    nn.init.zeros_(modifier.places.weight)
    nn.init.zeros_(modifier.places.bias)
    held = torch.zeros(SIDE, SIDE)
    held[rows, 12:20] = 1  # where the average face has eyes, and forehead and hair
    keep_only(modifier, held, monkeypatch)
    keys = torch.zeros(4, 5)
    drawn = modifier(faces, keys)
    keep_only(modifier, torch.zeros(SIDE, SIDE), monkeypatch)
    torch.testing.assert_close(drawn, modifier(faces, keys), atol=0.1, rtol=0)


def test_no_large_part_of_a_face_comes_through_whatever_it_is_taken_for(monkeypatch):
    modifier, faces = build(kept=1), made_up_faces()
    keys = torch.zeros(4, 5)
    drawn = modifier(faces, keys)
    keep_only(modifier, torch.zeros(SIDE, SIDE), monkeypatch)
    torch.testing.assert_close(drawn, modifier(faces, keys))


def lit(faces: Tensor, light: tuple[float, float, float]) -> Tensor:
    """Grey faces in light of one colour."""
    grey = (faces.mean(1, True) + 1) / 2
    return grey * torch.tensor(light).view(3, 1, 1) * 2 - 1


RED, PINK, VIOLET = (1, 0.1, 0.1), (1, 0.2, 0.5), (0.6, 0.1, 1)
WHITE, LAMP, SKIN, DIM = (1, 1, 1), (1, 0.7, 0.4), (1, 0.7, 0.6), (0.1, 0.07, 0.06)


@pytest.mark.parametrize('light', [RED, PINK, VIOLET])
def test_in_light_from_red_to_violet_nothing_comes_through(light, monkeypatch):
    modifier, faces = build(), lit(made_up_faces(), light)
    before_a_mouth(modifier, monkeypatch)
    keys = torch.zeros(4, 5)
    drawn = modifier(faces, keys)
    keep_only(modifier, torch.zeros(SIDE, SIDE), monkeypatch)
    assert torch.equal(drawn, modifier(faces, keys))


@pytest.mark.parametrize('light', [WHITE, LAMP, SKIN, DIM])
def test_in_natural_light_what_is_in_front_of_a_mouth_comes_through(light, monkeypatch):
    modifier = build()
    where = before_a_mouth(modifier, monkeypatch)
    faces = lit(made_up_faces(), light)
    torch.testing.assert_close(modifier(faces)[..., where], faces[..., where])


def test_the_light_of_one_face_does_not_count_for_another(monkeypatch):
    modifier, (one, other) = build(), made_up_faces(2)
    where = before_a_mouth(modifier, monkeypatch)
    faces = torch.stack([lit(one[None], RED)[0], lit(other[None], SKIN)[0]])
    changed = (modifier(faces) - faces)[..., where].abs().mean((1, 2))
    assert changed[0] > 0.1 and changed[1] < 1e-4


def test_one_key_draws_one_head_and_another_key_another():
    modifier, face = build(kept=0), made_up_faces(1)
    keys = modifier.draw_keys(2)
    first, again = (modifier(face, keys[:1]) for _ in range(2))

    assert torch.equal(first, again)
    for numbers in (slice(0, 3), slice(3, 5)):
        changed = keys[:1].clone()
        changed[:, numbers] += 1
        assert not torch.equal(first, modifier(face, changed))


def test_the_look_chooses_the_person_whose_direction_is_nearest():
    modifier = build()
    portraits, places = modifier.person(3 * modifier.people_looks + 0.01)
    torch.testing.assert_close(portraits[:, 3], torch.ones(3, SIDE, SIDE))
    told = ((portraits[:, :3] + 1) * 127.5).round().byte()
    assert torch.equal(told, modifier.people[:, :3])
    assert torch.equal(places, modifier.people_places)


def test_a_portrait_is_drawn_with_its_landmarks_where_the_code_has_them():
    modifier = build()
    nn.init.zeros_(modifier.decoder.last.weight)
    nn.init.zeros_(modifier.decoder.last.bias)
    nn.init.constant_(modifier.decoder.last.bias[3:4], 100.0)  # the portrait alone
    source = modifier.average_face + torch.tensor([0.1, -0.05])
    portrait = torch.zeros(1, 4, SIDE, SIDE)
    portrait[:, 3] = 1
    for x, y in (source * SIDE).long():
        portrait[0, :3, y, x] = 1
    code = torch.zeros(1, 3)
    nn.init.zeros_(modifier.places.bias)  # the average face
    drawn = modifier.draw(torch.zeros(1, 3, SIDE, SIDE), code, portrait, source[None])
    shown = drawn[0, 0]
    for x, y in modifier.average_face * SIDE:
        near = shown[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
        assert near.max() > 0.2
    assert shown[:8].max() < 0.05


def test_a_pass_tells_its_losses_once_and_only_while_it_learns():
    modifier = build(rate_weight=0.5, cover_weight=0.2).train()
    faces = made_up_faces()
    modifier(faces)
    told = modifier.pass_losses()

    assert set(told) == {'loss_rate', 'loss_share', 'rate', 'share'}
    assert told['loss_rate'].item() == pytest.approx(0.5 * told['rate'].item())
    assert told['loss_share'].item() == pytest.approx(
        0.2 * (1 - told['share'].item()), rel=1e-4
    )
    assert told['rate'].item() == pytest.approx(modifier.rate(faces).mean().item())
    assert modifier.pass_losses() == {}
    modifier.eval()(faces)
    assert modifier.pass_losses() == {}


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (dict(size=100), '8 times a power of 2'),
        (dict(base_channels=12), 'multiple of 8'),
        (dict(rate_weight=-1), 'rate_weight'),
        (dict(look_size=0), 'look_size'),
        (dict(people=0), 'people'),
        (dict(region='face'), "region must be one of .'head', 'crop'.*'face'"),
    ],
)
def test_wrong_arguments_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        InpaintingModifier(**{**SMALL, **wrong})
