import copy
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import ExponentialMovingAverage
from torch import Tensor

from mmanon.models import modifiers
from mmanon.models.layers.blocks import STARTS
from mmanon.models.modifiers import (
    BaseModifier,
    DownsampleModifier,
    EdgeMapModifier,
    GaussianBlurModifier,
    GaussianNoiseModifier,
    IdentityModifier,
    LearnedModifier,
    PixelateModifier,
    ResNetModifier,
    SolidMaskModifier,
    SuperPixelModifier,
    UNetModifier,
)
from mmanon.models.modifiers.resnet_modifier import ResidualBlock
from mmanon.registry import MODELS

SMALL = {
    'ResNetModifier': dict(base_channels=4, num_blocks=1),
    'UNetModifier': dict(base_channels=4, depth=2),
}
REGISTERED = sorted(
    name
    for name, kind in MODELS.module_dict.items()
    if issubclass(kind, BaseModifier) and kind.__module__.startswith('mmanon.models.')
)
LEARNED = sorted(SMALL)
KEYED = {'BottleneckModifier', 'InpaintingModifier'}  # have tests of their own
RANDOM = {*KEYED, 'GaussianNoiseModifier'}
WITHOUT_GRADIENT = ['EdgeMapModifier', 'SolidMaskModifier', 'SuperPixelModifier']


def build(name: str, **kwargs) -> BaseModifier:
    return MODELS.build({'type': f'mmanon.{name}', **SMALL.get(name, {}), **kwargs})


def made_up_faces(num: int = 2, side: int = 32, seed: int = 0) -> Tensor:
    """Smooth coloured blobs, which reach both ends of the range."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(num, 3, 6, 6, generator=generator) * 4 - 2
    return F.interpolate(coarse, size=(side, side), mode='bilinear').clamp(-1, 1)


def stripes(side: int, period: int) -> Tensor:
    """Upright black and white stripes, (1, 3, S, S)."""
    row = (torch.arange(side) % period < period / 2).float() * 2 - 1
    return row.expand(1, 3, side, side).clone()


def disc(side: int) -> Tensor:
    """A white disc on black, of the same share of the image at any size."""
    at = (torch.arange(side) + 0.5) / side - 0.5
    far = (at[:, None] ** 2 + at[None, :] ** 2).sqrt()
    return ((far < 0.25).float() * 2 - 1).expand(1, 3, side, side).clone()


def fit(modifier: BaseModifier, faces: Tensor, wanted: Tensor, steps: int) -> float:
    """Train towards a target; the mean difference that is left."""
    optimizer = torch.optim.Adam(modifier.parameters(), 1e-2, betas=(0.5, 0.999))
    for _ in range(steps):
        optimizer.zero_grad()
        F.l1_loss(modifier(faces), wanted).backward()
        optimizer.step()
    with torch.no_grad():
        return F.l1_loss(modifier(faces), wanted).item()


# What all modifiers have in common.


def test_every_exported_modifier_is_registered():
    exported = set(modifiers.__all__) - {'BaseModifier', 'LearnedModifier'}
    assert exported == set(REGISTERED)


@pytest.mark.parametrize('side', [1, 2, 5, 32, 33])
@pytest.mark.parametrize('name', REGISTERED)
def test_faces_come_back_in_shape_and_range(name, side):
    faces = made_up_faces(side=side)
    before = faces.clone()
    drawn = build(name)(faces)
    assert drawn.shape == faces.shape
    assert drawn.dtype == faces.dtype
    assert drawn.abs().max() <= 1
    assert torch.equal(faces, before), 'the faces given were written to'


@pytest.mark.parametrize('name', REGISTERED)
def test_no_faces_give_no_faces(name):
    drawn = build(name)(torch.zeros(0, 3, 32, 32))
    assert drawn.shape == (0, 3, 32, 32)


@pytest.mark.parametrize('name', sorted(set(REGISTERED) - {*LEARNED, *KEYED}))
def test_handcrafted_modifiers_keep_half_precision(name):
    faces = made_up_faces().bfloat16()
    drawn = build(name)(faces)
    assert drawn.dtype == torch.bfloat16
    assert drawn.float().abs().max() <= 1


@pytest.mark.parametrize('name', sorted(set(REGISTERED) - RANDOM))
def test_what_draws_no_noise_is_deterministic(name):
    modifier = build(name)
    faces = made_up_faces()
    assert torch.equal(modifier(faces), modifier(faces))


@pytest.mark.parametrize('name', sorted(set(REGISTERED) - RANDOM))
def test_a_face_is_redrawn_the_same_whatever_else_is_in_the_batch(name):
    modifier = build(name)
    if name in LEARNED:
        fit(modifier, made_up_faces(), -made_up_faces(), steps=2)
    faces = made_up_faces(num=3)
    torch.testing.assert_close(modifier(faces)[1:2], modifier(faces[1:2]))


@pytest.mark.parametrize(
    'name',
    sorted(set(REGISTERED) - {'IdentityModifier', *KEYED, *LEARNED}),
)
def test_handcrafted_modifiers_change_faces_at_their_default_strength(name):
    faces = made_up_faces(side=64)
    assert (build(name)(faces) - faces).abs().mean() > 0.02


@pytest.mark.parametrize(
    'faces, error, says',
    [
        (torch.zeros(3, 8, 8), ValueError, r'\(3, 8, 8\)'),
        (torch.zeros(1, 1, 8, 8), ValueError, r'\(1, 1, 8, 8\)'),
        (torch.zeros(1, 3, 8, 9), ValueError, r'\(1, 3, 8, 9\)'),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, 'uint8'),
    ],
)
def test_what_are_no_faces_is_refused(faces, error, says):
    with pytest.raises(error, match=says):
        IdentityModifier()(faces)


@pytest.mark.parametrize('name', sorted(set(REGISTERED) - set(WITHOUT_GRADIENT)))
def test_gradient_passes_to_the_faces(name):
    faces = (made_up_faces() * 0.5).requires_grad_()
    build(name)(faces).sum().backward()
    assert faces.grad.abs().sum() > 0


@pytest.mark.parametrize('name', WITHOUT_GRADIENT)
def test_a_detector_learns_behind_a_modifier_without_gradient(name):
    faces = made_up_faces().requires_grad_()
    drawn = build(name)(faces)
    assert not drawn.requires_grad
    detector = torch.nn.Conv2d(3, 1, 3)
    detector(drawn).square().mean().backward()
    # Not the weight's: behind a mask of mid-grey, which is 0, that one is 0 too.
    assert detector.bias.grad.abs().sum() > 0


@pytest.mark.parametrize('name', REGISTERED)
def test_only_learned_modifiers_need_training(name):
    modifier = build(name)
    learns = any(one.requires_grad for one in modifier.parameters())
    assert modifier.is_untrained == learns
    assert learns == isinstance(modifier, LearnedModifier)


@pytest.mark.parametrize(
    'kind, kwargs',
    [
        (DownsampleModifier, dict(size=0)),
        (DownsampleModifier, dict(size=0.5)),
        (PixelateModifier, dict(blocks=0)),
        (GaussianBlurModifier, dict(sigma=0)),
        (GaussianBlurModifier, dict(sigma=math.nan)),
        (GaussianNoiseModifier, dict(std=0)),
        (SolidMaskModifier, dict(color=(0, 0))),
        (SolidMaskModifier, dict(color=(0, 0, 128))),
        (SuperPixelModifier, dict(num_segments=0)),
        (SuperPixelModifier, dict(compactness=-1)),
        (EdgeMapModifier, dict(low=100, high=50)),
        (ResNetModifier, dict(base_channels=0)),
        (ResNetModifier, dict(num_blocks=0)),
        (ResNetModifier, dict(num_downs=0)),
        (ResNetModifier, dict(outer_kernel=0)),
        (ResNetModifier, dict(outer_kernel=4)),
        (ResNetModifier, dict(base_channels=2, num_blocks=1, start='zero')),
        (UNetModifier, dict(depth=0)),
        (UNetModifier, dict(base_channels=2, depth=1, start='zero')),
    ],
)
def test_impossible_strengths_are_refused_by_name(kind, kwargs):
    name = list(kwargs)[-1]
    with pytest.raises(ValueError, match=name):
        kind(**kwargs)


# The hand-crafted ones.


def test_identity_leaves_faces_alone():
    faces = made_up_faces()
    assert torch.equal(IdentityModifier()(faces), faces)


def test_downsample_removes_detail_above_its_size():
    assert DownsampleModifier(size=8)(stripes(64, period=4)).abs().max() < 1e-6


def test_downsample_keeps_detail_below_its_size():
    assert DownsampleModifier(size=8)(stripes(64, period=32)).std() > 0.7


def test_downsample_shows_no_blocks():
    drawn = DownsampleModifier(size=8)(stripes(64, period=32))
    # From black to white over the eight pixels between two centres.
    assert drawn.diff(dim=-1).abs().max() < 2 / 8 + 1e-4


def test_downsample_keeps_the_mean_colour():
    faces = torch.tensor([0.5, -0.25, 0.0])[None, :, None, None].expand(1, 3, 32, 32)
    torch.testing.assert_close(DownsampleModifier(size=4)(faces), faces)


def test_pixelate_shows_squares_of_their_mean_colour():
    faces = made_up_faces(side=32)
    squares = PixelateModifier(blocks=4)(faces)
    tiles = squares.unfold(2, 8, 8).unfold(3, 8, 8).flatten(4)
    assert torch.equal(tiles.amax(-1), tiles.amin(-1))
    torch.testing.assert_close(tiles[..., 0], F.avg_pool2d(faces, 8))
    assert len(squares[0].flatten(1).T.unique(dim=0)) == 16


def test_blur_means_the_same_at_any_size():
    small = GaussianBlurModifier(sigma=0.05)(disc(64))
    large = GaussianBlurModifier(sigma=0.05)(disc(192))
    stronger = GaussianBlurModifier(sigma=0.06)(disc(192))
    difference = (F.avg_pool2d(large, 3) - small).abs().max()
    assert difference < 0.05
    assert difference < (F.avg_pool2d(stronger, 3) - small).abs().max() / 2


def test_blur_spreads_a_point_by_sigma():
    point = torch.zeros(1, 3, 65, 65)
    point[..., 32, 32] = 1
    spread = GaussianBlurModifier(sigma=0.05)(point)[0, 0]
    at = (torch.arange(65) - 32) / 65
    assert spread.sum().item() == pytest.approx(1, abs=1e-4)
    for along in (spread.sum(0), spread.sum(1)):
        assert (along * at**2).sum().sqrt().item() == pytest.approx(0.05, rel=0.03)


def test_noise_is_as_strong_as_asked_for():
    torch.manual_seed(0)
    noise = GaussianNoiseModifier(std=0.2)(torch.zeros(4, 3, 64, 64))
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    assert noise.mean().abs() < 0.01


def test_noise_is_drawn_anew_and_follows_the_seed_of_torch():
    faces, modifier = made_up_faces(), GaussianNoiseModifier()
    torch.manual_seed(0)
    first, second = modifier(faces), modifier(faces)
    torch.manual_seed(0)
    assert torch.equal(modifier(faces), first)
    assert not torch.equal(first, second)


def test_mask_hides_everything():
    modifier = SolidMaskModifier(color=(0.5, -1, 0))
    one, other = made_up_faces(seed=1), made_up_faces(seed=2)
    assert torch.equal(modifier(one), modifier(other))
    assert modifier(one)[0, :, 7, 9].tolist() == [0.5, -1, 0]


@pytest.mark.parametrize('num_segments', [1, 7, 100])
@pytest.mark.parametrize('faces', [made_up_faces(side=64), torch.zeros(1, 3, 64, 64)])
def test_superpixels_are_no_more_than_asked_for(num_segments, faces):
    modifier = SuperPixelModifier(num_segments=num_segments)
    # On a plain face SLIC alone answers with 121 segments when asked for 100.
    image = ((faces[0] + 1) * 127.5).byte().permute(1, 2, 0).numpy()
    assert modifier._segments(image).max() < num_segments
    for drawn in modifier(faces):
        assert len(drawn.flatten(1).T.unique(dim=0)) <= num_segments


def test_superpixels_have_the_colours_of_what_they_cover():
    faces = torch.full((1, 3, 32, 32), -0.6)
    faces[..., 16:] = 0.6
    drawn = SuperPixelModifier(num_segments=16)(faces)
    assert (drawn - faces).abs().max() < 0.01
    assert len(SuperPixelModifier(num_segments=30)(made_up_faces(1, 64)).unique()) > 9


def test_edge_map_is_black_and_white():
    assert EdgeMapModifier()(made_up_faces()).unique().tolist() == [-1, 1]


def test_edge_map_draws_outlines_and_nothing_within_them():
    edges = EdgeMapModifier()(disc(64))[0, 0] > 0
    at = (torch.arange(64) + 0.5) / 64 - 0.5
    far = (at[:, None] ** 2 + at[None, :] ** 2).sqrt()
    assert 60 < edges.sum() < 250
    assert (far[edges] - 0.25).abs().max() < 3 / 64


def test_higher_thresholds_draw_fewer_edges():
    faces = made_up_faces(side=64)
    many = EdgeMapModifier(low=10, high=30)(faces).gt(0).sum()
    few = EdgeMapModifier(low=50, high=90)(faces).gt(0).sum()
    assert few < many


# The learned ones.


@pytest.mark.parametrize('side', [32, 33])
@pytest.mark.parametrize('name', LEARNED)
def test_learned_modifiers_start_near_the_identity(name, side):
    faces = made_up_faces(side=side)
    assert faces.max() == 1 and faces.min() == -1
    assert (build(name)(faces) - faces).abs().max() < 0.011


@pytest.mark.parametrize('name', LEARNED)
def test_initializing_weights_keeps_the_start_near_the_identity(name):
    modifier, faces = build(name), made_up_faces()
    modifier.init_weights()
    assert (modifier(faces) - faces).abs().max() < 0.011


@pytest.mark.parametrize('name', LEARNED)
def test_scratch_has_no_path_past_the_network(name):
    modifier = build(name, start='scratch')
    for one in modifier.output.parameters():
        torch.nn.init.zeros_(one)
    assert modifier(made_up_faces()).abs().max() == 0
    assert (build(name, start='scratch')(made_up_faces())).abs().max() > 0.1


@pytest.mark.parametrize('name', LEARNED)
def test_blending_leaves_a_pixel_or_draws_it_anew(name):
    modifier, faces = build(name, start='blend'), made_up_faces()
    conv = modifier.output.conv
    torch.nn.init.zeros_(conv.weight)
    torch.nn.init.constant_(conv.bias, math.atanh(0.5))

    for share, expected in (
        (0.0, faces),
        (0.5, 0.5 * faces + 0.25),
        (1.0, torch.full_like(faces, 0.5)),
    ):
        torch.nn.init.constant_(conv.bias[3:], torch.tensor(share).logit().item())
        torch.testing.assert_close(modifier(faces), expected)


@pytest.mark.parametrize('name', LEARNED)
def test_blending_starts_with_most_of_a_face_drawn_anew(name):
    modifier, faces = build(name, start='blend'), made_up_faces()
    modifier.init_weights()
    torch.nn.init.zeros_(modifier.output.conv.weight)
    with torch.no_grad():
        modifier.output.conv.bias[:3] = 0
    torch.testing.assert_close(
        modifier(faces), faces * (1 - torch.tensor(1.0).sigmoid())
    )


@pytest.mark.parametrize('start', STARTS)
@pytest.mark.parametrize('name', LEARNED)
def test_every_parameter_learns_within_two_steps(name, start):
    torch.manual_seed(0)
    modifier = build(name, start=start)
    faces = made_up_faces()
    optimizer = torch.optim.SGD(modifier.parameters(), 0.1)
    moved = set()
    for _ in range(2):
        optimizer.zero_grad()
        F.mse_loss(modifier(faces), -faces).backward()
        for name, one in modifier.named_parameters():
            if one.grad is not None and one.grad.abs().max() > 0:
                moved.add(name)
        optimizer.step()
    assert moved == {name for name, _ in modifier.named_parameters()}


@pytest.mark.parametrize('start', STARTS)
@pytest.mark.parametrize('name', LEARNED)
def test_learned_modifiers_can_invert_colours(name, start):
    torch.manual_seed(0)
    modifier = build(name, start=start, base_channels=8)
    # A quarter of the colours are black or white, where leaving the identity is slow.
    faces = made_up_faces()
    left = fit(modifier, faces, -faces, steps=80)
    assert left < (-faces - faces).abs().mean() / 3


@pytest.mark.parametrize('name', LEARNED)
def test_a_start_at_the_identity_can_turn_white_into_black(name):
    torch.manual_seed(0)
    modifier = build(name)
    faces = stripes(32, period=8)
    assert fit(modifier, faces, torch.full_like(faces, -0.8), steps=60) < 0.3


def test_the_papers_generator_is_the_default():
    modifier = ResNetModifier()
    convs = [
        (one.in_channels, one.out_channels, one.kernel_size[0], one.stride[0])
        for one in modifier.modules()
        if isinstance(one, torch.nn.Conv2d)
    ]
    assert convs == [
        (3, 64, 7, 1),
        (64, 128, 3, 2),
        (128, 256, 3, 2),
        *[(256, 256, 3, 1)] * 18,
        (256, 128, 3, 1),
        (128, 64, 3, 1),
        (64, 3, 7, 1),
    ]


def test_width_blocks_and_depth_are_the_users_choice():
    modifier = ResNetModifier(base_channels=2, num_blocks=3, num_downs=3)
    faces = made_up_faces(side=20)
    assert modifier(faces).shape == faces.shape
    convs = [one for one in modifier.modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(convs) == 1 + 3 + 2 * 3 + 3 + 1
    assert max(one.out_channels for one in convs) == 16


def test_the_outer_convolutions_alone_take_another_kernel():
    modifier = ResNetModifier(base_channels=2, num_blocks=1, outer_kernel=5)
    faces = made_up_faces(side=20)
    assert modifier(faces).shape == faces.shape
    sides = [
        one.kernel_size[0]
        for one in modifier.modules()
        if isinstance(one, torch.nn.Conv2d)
    ]
    assert sides[0] == sides[-1] == 5
    assert set(sides[1:-1]) == {3}


def test_a_residual_block_can_raise_and_lower_features():
    torch.manual_seed(0)
    features = torch.randn(1, 4, 8, 8)
    added = ResidualBlock(4)(features) - features
    assert added.min() < -0.5 and added.max() > 0.5


def test_unet_takes_another_norm():
    modifier = build('UNetModifier', norm_cfg=dict(type='GN', num_groups=2))
    kinds = {type(one) for one in modifier.modules()}
    assert torch.nn.GroupNorm in kinds and torch.nn.InstanceNorm2d not in kinds
    assert modifier(made_up_faces()).shape == (2, 3, 32, 32)


@pytest.mark.parametrize('name', LEARNED)
def test_learned_modifiers_leave_no_checkerboard_on_a_plain_face(name):
    torch.manual_seed(0)
    modifier = build(name, start='scratch')
    # Instance norm leaves nothing but its offset of a plain face.
    for one in modifier.modules():
        if isinstance(one, torch.nn.InstanceNorm2d):
            torch.nn.init.uniform_(one.bias, 0.5, 1)
    drawn = modifier(torch.full((1, 3, 64, 64), 0.3))
    assert (drawn[..., 1:, 1:] - drawn[..., :-1, :-1]).abs().max() < 1e-4


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('name', LEARNED)
def test_learned_modifiers_work_under_autocast(name, dtype):
    modifier, faces = build(name), made_up_faces()
    with torch.autocast('cpu', dtype):
        drawn = modifier(faces)
    assert drawn.dtype == torch.float32
    # Twice as good as bfloat16 could say near 1: the way past the network is float32.
    assert (drawn - faces).abs().max() < 0.011
    drawn.square().mean().backward()
    assert modifier.output.conv.weight.grad.isfinite().all()


@pytest.mark.parametrize('name', LEARNED)
def test_learned_modifiers_work_in_channels_last(name):
    torch.manual_seed(0)
    modifier, faces = build(name, start='scratch'), made_up_faces()
    drawn = modifier(faces)
    modifier.to(memory_format=torch.channels_last)
    again = modifier(faces.to(memory_format=torch.channels_last))
    torch.testing.assert_close(again, drawn, rtol=1e-4, atol=1e-4)


# What a learned modifier knows of its training.


@pytest.mark.parametrize('name', LEARNED)
def test_updates_travel_with_the_weights(name, tmp_path):
    trained = build(name)
    for _ in range(3):
        trained.record_update()
    assert not trained.is_untrained
    torch.save(trained.state_dict(), tmp_path / 'modifier.pth')
    state = torch.load(tmp_path / 'modifier.pth', weights_only=True)
    other = build(name)
    assert other.is_untrained
    other.load_state_dict(state)
    assert not other.is_untrained
    assert other.updates.item() == 3 and other.updates.dtype == torch.int64


@pytest.mark.parametrize('name', LEARNED)
def test_pretrained_weights_of_a_config_are_trained(name, tmp_path):
    trained = build(name)
    trained.record_update()
    path = tmp_path / 'modifier.pth'
    torch.save(trained.state_dict(), path)
    other = build(name, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    assert other.is_untrained
    other.init_weights()
    assert not other.is_untrained


@pytest.mark.parametrize(
    'state', ['wider', 'deeper', 'without updates'], ids=lambda one: one
)
def test_pretrained_weights_load_whole_or_not_at_all(state, tmp_path):
    sizes = dict(wider=dict(base_channels=8), deeper=dict(num_blocks=2)).get(state, {})
    trained = build('ResNetModifier', **sizes)
    trained.record_update()
    weights = trained.state_dict()
    if state == 'without updates':
        del weights['updates']
    path = tmp_path / 'modifier.pth'
    torch.save(weights, path)
    other = build('ResNetModifier', init_cfg=dict(type='Pretrained', checkpoint=path))

    with pytest.raises(ValueError, match='does not hold the weights'):
        other.init_weights()
    assert other.is_untrained


@pytest.mark.parametrize('start', STARTS)
@pytest.mark.parametrize('name', LEARNED)
def test_weights_of_another_start_are_refused(name, start):
    state = build(name, start=start).state_dict()
    build(name, start=start).load_state_dict(state)

    for other in set(STARTS) - {start}:
        with pytest.raises(ValueError, match=f"are of start='{start}'"):
            build(name, start=other).load_state_dict(state)


def test_weights_of_an_unknown_start_do_not_become_the_identitys():
    state = build('ResNetModifier', start='scratch').state_dict()
    del state['output.start_index']

    with pytest.raises(ValueError, match='a start that they do not name'):
        build('ResNetModifier').load_state_dict(state, strict=False)
    build('ResNetModifier', start='scratch').load_state_dict(state, strict=False)
    # A plain detector's weights have nothing to say about it.
    build('ResNetModifier').load_state_dict({}, strict=False)


def test_loading_untrained_weights_makes_it_untrained_again():
    modifier = build('ResNetModifier')
    state = copy.deepcopy(modifier.state_dict())
    modifier.record_update()
    modifier.load_state_dict(state)
    assert modifier.is_untrained


def test_weights_loaded_through_a_parent_count_as_well():
    trained = torch.nn.ModuleDict(dict(modifier=build('ResNetModifier')))
    trained['modifier'].record_update()
    other = torch.nn.ModuleDict(dict(modifier=build('ResNetModifier')))
    other.load_state_dict(trained.state_dict(), assign=True)
    assert not other['modifier'].is_untrained


def test_copies_and_moved_modifiers_know_their_training():
    modifier = build('ResNetModifier')
    twin = copy.deepcopy(modifier)
    modifier.record_update()
    assert twin.is_untrained and twin.updates == 0
    assert not copy.deepcopy(modifier).is_untrained
    assert not modifier.to(torch.float64).is_untrained
    assert modifier.updates.dtype == torch.int64


@pytest.mark.parametrize('update_buffers', [False, True])
def test_an_average_is_trained_once_it_has_copied_a_trained_one(update_buffers):
    modifier = build('ResNetModifier')
    average = ExponentialMovingAverage(modifier, update_buffers=update_buffers)
    assert average.module.is_untrained
    modifier.record_update()
    average.update_parameters(modifier)
    assert not average.module.is_untrained


def test_a_trained_modifier_does_not_ask_its_device():
    modifier = build('ResNetModifier')
    modifier.record_update()
    # A tensor of the meta device has no value to read.
    modifier.updates = modifier.updates.to('meta')
    assert not modifier.is_untrained
