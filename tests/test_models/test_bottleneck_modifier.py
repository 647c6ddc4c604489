import copy

import pytest
import torch
from torch import Tensor

from mmanon.models.modifiers import BaseModifier, BottleneckModifier
from mmanon.models.modifiers.covering import redraw_or_cover

SMALL = dict(size=24, code_size=3, look_size=2, base_channels=8)


def build(**kwargs) -> BottleneckModifier:
    """One that draws more than at first."""
    torch.manual_seed(0)
    modifier = BottleneckModifier(**{**SMALL, **kwargs})
    torch.nn.init.normal_(modifier.decoder.last.weight, std=0.2)
    return modifier


def made_up_faces(count: int = 4, side: int = 24) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    faces = torch.rand(count, 3, side, side, generator=generator) * 2 - 1
    return torch.nn.functional.avg_pool2d(faces, 5, 1, 2)


def test_one_key_draws_one_face_and_another_key_another():
    modifier, face = build().eval(), made_up_faces(1)
    keys = modifier.draw_keys(2)

    first, again = (modifier(face, keys[:1]) for _ in range(2))
    other = modifier(face, keys[1:])

    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 1e-3


def test_both_noise_and_look_count():
    modifier, face = build().eval(), made_up_faces(1)
    key = modifier.draw_keys(1)
    for numbers in (slice(0, 3), slice(3, 5)):
        changed = key.clone()
        changed[:, numbers] += 1
        assert not torch.equal(modifier(face, key), modifier(face, changed))


def test_a_face_is_redrawn_the_same_whatever_else_is_in_the_batch():
    modifier, faces = build().eval(), made_up_faces(3)
    keys = modifier.draw_keys(3)
    torch.testing.assert_close(
        modifier(faces, keys)[1:2], modifier(faces[1:2], keys[1:2])
    )


def test_without_keys_each_face_gets_its_own_from_torchs_generator():
    modifier = build().eval()
    faces = made_up_faces(1).repeat(2, 1, 1, 1)

    torch.manual_seed(3)
    one, other = modifier(faces)
    torch.manual_seed(3)
    again = modifier(faces)

    assert not torch.equal(one, other)
    assert torch.equal(one, again[0])


@pytest.mark.parametrize('shape', [(3, 5), (4, 4), (5,)])
def test_keys_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r'keys \(4, 5\)'):
        build()(made_up_faces(), torch.zeros(shape))


def test_modifiers_without_keys_take_none():
    class Grey(BaseModifier):
        def modify(self, faces):
            return torch.zeros_like(faces)

    class Keyed(BaseModifier):
        key_size = 2

        def modify(self, faces):
            return faces

    assert Grey()(made_up_faces(), torch.zeros(4, 9)).abs().sum() == 0
    with pytest.raises(NotImplementedError, match='implement `modify_by_key`'):
        Keyed()(made_up_faces())


def test_where_the_share_is_nothing_the_face_stays_and_where_it_is_all_nothing_does():
    modifier, faces = build().eval(), made_up_faces()
    keys = torch.zeros(4, 5)
    bias = modifier.share.last.bias
    torch.nn.init.zeros_(modifier.share.last.weight)

    torch.nn.init.constant_(bias, -100.0)
    assert torch.allclose(modifier(faces, keys), faces)
    torch.nn.init.constant_(bias, 100.0)
    # The code tells faces apart, and nothing else does.
    torch.nn.init.zeros_(modifier.encoder.code.weight)
    drawn = modifier(faces, keys)
    assert torch.allclose(drawn, drawn[:1].expand_as(drawn))


def test_a_pass_tells_its_losses_once_and_only_while_it_learns():
    modifier, faces = build(rate_weight=0.5, cover_weight=0.2), made_up_faces()
    modifier(faces)
    told = modifier.pass_losses()

    assert set(told) == {'loss_rate', 'loss_target', 'loss_share', 'rate', 'share'}
    assert told['loss_rate'].item() == pytest.approx(0.5 * told['rate'].item())
    assert told['loss_share'].item() == pytest.approx(
        0.2 * (1 - told['share'].item()), rel=1e-4
    )
    assert told['rate'].item() == pytest.approx(modifier.rate(faces).mean().item())
    assert modifier.pass_losses() == {}
    with torch.no_grad():
        modifier(faces)
    modifier.eval()(faces)
    assert modifier.pass_losses() == {}


def test_the_rate_is_the_divergence_from_a_standard_normal_distribution():
    modifier, faces = build(), made_up_faces()
    mean, log_variance = modifier.encoder(faces)
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(
        normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)
    ).sum(1)
    torch.testing.assert_close(modifier.rate(faces), wanted)


def test_it_begins_with_the_face_that_the_key_chooses():
    torch.manual_seed(0)
    modifier, faces = BottleneckModifier(**SMALL), made_up_faces(16)
    torch.nn.init.zeros_(modifier.share.last.weight)
    torch.nn.init.constant_(modifier.share.last.bias, 100.0)
    for _ in range(5):
        modifier(faces)
    key = torch.zeros(2, 5)
    key[1, 3] = 1.0

    drawn = modifier.eval()(faces[:2], key)

    wanted = modifier.faces.draw(key[:, 3:], 24)
    assert (drawn - wanted).abs().mean() < 0.05
    assert (wanted[0] - wanted[1]).abs().max() > 0.02


def test_own_losses_lower_the_rate_cover_the_face_and_draw_the_target():
    modifier, faces = build(rate_weight=1.0, hull_weight=1.0), made_up_faces(16)
    adam = torch.optim.Adam(modifier.parameters(), 1e-2)
    told = []
    for _ in range(40):
        modifier(faces)
        told.append(modifier.pass_losses())
        loss = sum(value for name, value in told[-1].items() if name[:4] == 'loss')
        adam.zero_grad()
        loss.backward()
        adam.step()
    first, last = told[3], told[-1]  # the average has settled by the third
    assert last['rate'] < first['rate'] / 2
    assert last['share'] > 0.9
    assert last['loss_target'] < first['loss_target'] / 2
    # Another key draws another face then.
    key = torch.zeros(2, 5)
    key[1, 3] = 2.0
    one, other = modifier.eval()(faces[:1].repeat(2, 1, 1, 1), key)
    assert (one - other).abs().mean() > 0.01


def test_letting_through_within_the_face_is_dearer():
    modifier, faces = build(cover_weight=0.0, hull_weight=1.0), made_up_faces()
    modifier(faces)
    modifier.share.last.register_full_backward_hook(
        lambda module, before, after: seen.append(after[0])
    )
    seen: list[Tensor] = []
    modifier(faces)
    modifier.pass_losses()['loss_share'].backward()

    slope = seen[0].abs().sum((0, 1))
    assert slope[12, 12] > 0
    assert slope[0, 0] == slope[0, -1] == slope[-1, 0] == 0


def test_skin_never_comes_through_and_an_object_before_it_may():
    modifier = build(skin_guard=0.2).eval()
    torch.nn.init.zeros_(modifier.share.last.weight)
    torch.nn.init.constant_(modifier.share.last.bias, -100.0)
    skin, cup = torch.tensor([0.3, 0.0, -0.2]), torch.tensor([-0.8, -0.6, 0.7])
    face = skin.view(1, 3, 1, 1).repeat(1, 1, 24, 24)
    face += 0.02 * torch.randn(face.shape, generator=torch.Generator().manual_seed(0))
    face[:, :, 14:19, 9:15] = cup.view(3, 1, 1)  # within the face, in front of it
    face[:, :, :2, :2] = cup.view(3, 1, 1)

    share = modifier.covers(face)[0, 0]

    assert share[8:12, 9:15].min() > 0.9
    assert share[14:19, 9:15].max() < 0.01
    assert share[0].max() < 0.01  # outside of the face nothing is forbidden
    assert build().eval().covers(face).shape == (1, 1, 24, 24)


def test_other_sizes_of_crops_are_resampled():
    modifier = build().eval()
    keys = modifier.draw_keys(1)
    small, large = (modifier(made_up_faces(1, side), keys) for side in (24, 48))
    assert large.shape == (1, 3, 48, 48)
    halved = torch.nn.functional.avg_pool2d(large, 2)
    assert (halved.mean() - small.mean()).abs() < 0.3


def test_weights_and_eigenfaces_travel_together(tmp_path):
    modifier = build()
    modifier(made_up_faces())
    torch.save(modifier.state_dict(), tmp_path / 'm.pth')
    other = build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'm.pth')))
    other.init_weights()
    assert torch.equal(other.faces.average, modifier.faces.average)
    assert other.faces.average.abs().sum() > 0
    assert copy.deepcopy(modifier).pass_losses() == {}


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(size=100), 'size must be 6 times a power of 2'),
        (dict(size=6), 'size must be'),
        (dict(base_channels=12), 'multiple of 8'),
        (dict(code_size=0), 'code_size'),
        (dict(look_size=-1), 'look_size'),
        (dict(rate_weight=-0.1), 'rate_weight'),
        (dict(skin_guard=-1.0), 'skin_guard'),
        (dict(margin=float('nan')), 'margin'),
    ],
)
def test_impossible_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        BottleneckModifier(**{**SMALL, **kwargs})


# Covers, along a track.


def test_a_track_is_covered_whole_or_not_at_all():
    modifier, faces = build().eval(), made_up_faces()
    modifier.record_update()
    keys = torch.zeros(4, 5)
    torch.nn.init.zeros_(modifier.share.last.weight)
    torch.nn.init.constant_(modifier.share.last.bias, -100.0)
    # What passes unchanged is covered; the first face is changed by a hook.
    modifier.share.register_forward_hook(
        lambda module, inputs, share: torch.cat([share[:1] * 0 + 1, share[1:]])
    )

    alone = redraw_or_cover(modifier, faces, 0.15, keys)[1]
    tracks = torch.tensor([0, 0, 1, 2])
    together = redraw_or_cover(modifier, faces, 0.15, keys, tracks)[1]

    assert alone.tolist() == [False, True, True, True]
    assert together.tolist() == [True] * 4
    apart = redraw_or_cover(modifier, faces, 0.15, keys, torch.tensor([3, 1, 1, 0]))[1]
    assert apart.tolist() == alone.tolist()
