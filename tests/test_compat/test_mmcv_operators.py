"""The stand-in computes what mmcv's compiled operators compute, forth and back."""

import importlib
import math
import sys
from collections.abc import Callable
from types import SimpleNamespace

import mmcv.ops
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

import mmanon  # noqa: F401
from mmanon.compat import mmcv_operators
from mmanon.compat.mmcv_operators.shared import kernels

EXTENSION = sys.modules['mmcv._ext']
STAND_IN = SimpleNamespace(**mmcv_operators.OPERATORS)
compared = pytest.mark.skipif(
    not hasattr(EXTENSION, '__file__'),
    reason='the installed mmcv has no compiled operators to compare with',
)

# Inside, over each edge, as large as the map, thin, tiny, without a size, all outside.
REGIONS = [
    [0, 3.2, 4.1, 17.9, 12.6],
    [1, -9.0, -7.5, 6.0, 30.0],
    [1, 20.0, 11.0, 55.0, 43.0],
    [0, 0.0, 0.0, 32.0, 24.0],
    [1, 5.0, 2.0, 5.4, 22.0],
    [0, 8.3, 8.3, 8.5, 8.4],
    [0, 10.0, 10.0, 10.0, 10.0],
    [1, 70.0, 80.0, 90.0, 95.0],
]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def stand_in(monkeypatch) -> Callable[[], None]:
    """A function from which on mmcv's layers call the stand-in."""

    def put() -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module'):
                monkeypatch.setattr(module, 'ext_module', STAND_IN)

    return put


def features(dtype: torch.dtype = torch.float32, count: int = 2) -> Tensor:
    return torch.randn(count, 3, 12, 16, dtype=dtype, requires_grad=True)


def outcome(call: Callable, *inputs: Tensor) -> list[Tensor]:
    """What a call returns, and the gradients of what it was given."""
    output = call(*inputs)
    learned = [one for one in inputs if one.requires_grad]
    weights = torch.linspace(-1, 2, max(output.numel(), 1), dtype=output.dtype)
    loss = (output * weights[: output.numel()].reshape(output.shape)).sum()
    return [output.detach(), *torch.autograd.grad(loss, learned)]


def assert_equal_outcomes(call: Callable, inputs: list[Tensor], stand_in) -> None:
    """The compiled operators and the stand-in give the same."""
    expected = outcome(call, *inputs)
    stand_in()
    got = outcome(call, *inputs)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=2e-5)


# --- RoIAlign -------------------------------------------------------------------------


@compared
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('scale', [0.25, 0.5, 1.0])
@pytest.mark.parametrize('sampling_ratio', [0, 1, 2, 3])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('pool_mode', ['avg', 'max'])
def test_roi_align_equals_mmcvs(
    stand_in, pool_mode, aligned, sampling_ratio, scale, dtype
):
    layer = mmcv.ops.RoIAlign((3, 5), scale, sampling_ratio, pool_mode, aligned)
    inputs = [features(dtype), torch.tensor(REGIONS, dtype=dtype)]
    assert_equal_outcomes(layer, inputs, stand_in)


@compared
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('pool_mode', ['avg', 'max'])
def test_roi_align_of_flat_features_equals_mmcvs(stand_in, pool_mode, aligned):
    # Behind a ReLU many samples of a bin are equal: the same one gets the gradient.
    layer = mmcv.ops.RoIAlign(4, 0.5, 0, pool_mode, aligned)
    flat = features().detach().relu().requires_grad_()
    assert_equal_outcomes(layer, [flat, torch.tensor(REGIONS)], stand_in)


@compared
@pytest.mark.parametrize('pool_mode', ['avg', 'max'])
def test_roi_align_of_no_region_equals_mmcvs(stand_in, pool_mode):
    layer = mmcv.ops.RoIAlign(4, 0.5, 0, pool_mode)
    assert_equal_outcomes(layer, [features(), torch.zeros(0, 5)], stand_in)


def sampled(image: Tensor, y: float, x: float) -> Tensor:
    """A bilinear sample of (C, H, W), as the papers of Mask R-CNN have it."""
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return image[:, 0, 0] * 0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = image[:, top, left] * (left + 1 - x) + image[:, top, right] * (x - left)
    lower = image[:, bottom, left] * (left + 1 - x) + image[:, bottom, right] * (
        x - left
    )
    return upper * (top + 1 - y) + lower * (y - top)


def aligned_by_hand(
    images: Tensor, regions: Tensor, size: int, scale: float, ratio: int, mode: str
) -> Tensor:
    """RoIAlign with ``aligned=True``, sample by sample."""
    pooled = []
    for image, *corners in regions.tolist():
        x1, y1, x2, y2 = (corner * scale - 0.5 for corner in corners)
        high, wide = (y2 - y1) / size, (x2 - x1) / size
        rows, columns = ratio or math.ceil(high), ratio or math.ceil(wide)
        for p in range(size):
            for q in range(size):
                samples = [
                    sampled(
                        images[int(image)],
                        y1 + (p + (i + 0.5) / rows) * high,
                        x1 + (q + (j + 0.5) / columns) * wide,
                    )
                    for i in range(rows)
                    for j in range(columns)
                ]
                stack = torch.stack(samples)
                pooled.append(stack.mean(0) if mode == 'avg' else stack.max(0).values)
    return torch.stack(pooled).view(len(regions), size, size, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_roi_align_equals_its_formula(stand_in, mode, ratio):
    stand_in()
    images = features(torch.float64)
    regions = torch.tensor(REGIONS[:6], dtype=torch.float64)
    got = outcome(mmcv.ops.RoIAlign(3, 0.5, ratio, mode), images, regions)
    expected = outcome(
        lambda *inputs: aligned_by_hand(*inputs, 3, 0.5, ratio, mode), images, regions
    )
    torch.testing.assert_close(got, expected)


def test_gradient_of_the_mean_without_atomic_additions_is_the_same(
    stand_in, monkeypatch
):
    # What a GPU runs where PyTorch is told to be deterministic; the CPU always is.
    stand_in()
    layer = mmcv.ops.RoIAlign((3, 5), 0.5, 0)
    inputs = [features(torch.float64), torch.tensor(REGIONS, dtype=torch.float64)]
    expected = outcome(layer, *inputs)
    monkeypatch.setattr(torch, 'are_deterministic_algorithms_enabled', lambda: True)
    monkeypatch.setattr(Tensor, 'is_cuda', True)
    monkeypatch.delattr(kernels, '_roi_align_backward')
    torch.testing.assert_close(outcome(layer, *inputs), expected)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_roi_align_takes_half_precision_and_returns_it(stand_in, mode, dtype):
    stand_in()
    layer = mmcv.ops.RoIAlign(3, 0.5, 2, mode)
    regions = torch.tensor(REGIONS)
    half = features().detach().to(dtype).requires_grad_()
    pooled, grad = outcome(layer, half, regions.to(dtype))
    assert pooled.dtype == grad.dtype == dtype
    whole = half.detach().float().requires_grad_()
    expected = outcome(layer, whole, regions.to(dtype).float())
    torch.testing.assert_close(pooled.float(), expected[0], rtol=1e-2, atol=1e-2)
    # mmcv keeps the places of the maxima in half precision too.
    bound = 0.1 if mode == 'max' else 2e-2
    torch.testing.assert_close(grad.float(), expected[1], rtol=bound, atol=bound)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_autocast_does_not_round_the_pooled_features(stand_in, mode):
    stand_in()
    layer = mmcv.ops.RoIAlign(3, 0.5, 2, mode)
    inputs = features(), torch.tensor(REGIONS)
    expected = outcome(layer, *inputs)
    with torch.autocast('cpu', torch.bfloat16):
        got = outcome(layer, *inputs)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_compiled_network_calls_roi_align_as_it_is(stand_in, mode):
    stand_in()
    layer = mmcv.ops.RoIAlign(3, 0.5, 0, mode)
    images, regions = features(), torch.tensor(REGIONS)
    expected = outcome(lambda x, rois: layer(x * 2, rois) + 1, images, regions)
    network = torch.compile(lambda x, rois: layer(x * 2, rois) + 1, backend='eager')
    torch.testing.assert_close(outcome(network, images, regions), expected)


# --- RoIPool --------------------------------------------------------------------------


def pooled_by_hand(
    images: Tensor, regions: Tensor, size: tuple[int, int], scale: float
) -> Tensor:
    """RoIPool of mmcv's CUDA kernel (there is none for the CPU), bin by bin."""
    height, width = images.shape[2:]
    pooled = []
    for image, x1, y1, x2, y2 in regions.tolist():
        x1, y1, x2, y2 = x1 * scale, y1 * scale, (x2 + 1) * scale, (y2 + 1) * scale
        high, wide = (y2 - y1) / size[0], (x2 - x1) / size[1]
        for p in range(size[0]):
            for q in range(size[1]):
                rows = (math.floor(p * high + y1), math.ceil((p + 1) * high + y1))
                columns = (math.floor(q * wide + x1), math.ceil((q + 1) * wide + x1))
                top, bottom = (min(max(row, 0), height) for row in rows)
                left, right = (min(max(column, 0), width) for column in columns)
                inside = images[int(image), :, top:bottom, left:right].flatten(1)
                empty = min(high, wide) <= 0 or inside.numel() == 0
                pooled.append(images[0, :, 0, 0] * 0 if empty else inside.max(1).values)
    return torch.stack(pooled).view(len(regions), *size, -1).permute(0, 3, 1, 2)


@pytest.mark.parametrize('scale', [0.25, 0.5, 1.0])
def test_roi_pool_equals_its_formula(stand_in, scale):
    stand_in()
    images = features(torch.float64)
    upside_down = [0, 9.0, 9.0, 3.0, 3.0]
    regions = torch.tensor([*REGIONS, upside_down], dtype=torch.float64)
    got = outcome(mmcv.ops.RoIPool((3, 5), scale), images, regions)
    expected = outcome(
        lambda *inputs: pooled_by_hand(*inputs, (3, 5), scale), images, regions
    )
    torch.testing.assert_close(got, expected)


def test_roi_pool_of_no_region_is_empty(stand_in):
    stand_in()
    pooled, grad = outcome(mmcv.ops.RoIPool(4, 0.5), features(), torch.zeros(0, 5))
    assert pooled.shape == (0, 3, 4, 4)
    assert not grad.any()


# --- Suppression ----------------------------------------------------------------------


def crowd(count: int = 200) -> tuple[Tensor, Tensor]:
    """Boxes on a grid of whole pixels, so that many overlaps are equal, and scores."""
    corners = torch.randint(0, 40, (count, 2)).float()
    boxes = torch.cat([corners, corners + torch.randint(1, 30, (count, 2))], 1)
    scores = torch.rand(count)
    assert len(scores.unique()) == count, 'equal scores have no order'
    return boxes, scores


@compared
@pytest.mark.parametrize('threshold', [0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize('offset', [0, 1])
def test_nms_equals_mmcvs(stand_in, offset, threshold):
    boxes, scores = crowd()
    call = lambda: mmcv.ops.nms(boxes, scores, threshold, offset)  # noqa: E731
    expected = call()
    stand_in()
    torch.testing.assert_close(call(), expected)
    assert 1 < len(expected[1]) < len(boxes)


@compared
@pytest.mark.parametrize('kind', ['nms', 'soft_nms'])
def test_nms_of_classes_equals_mmcvs(stand_in, kind):
    boxes, scores = crowd()
    classes = torch.randint(0, 3, scores.shape)
    config = dict(type=kind, iou_threshold=0.5)
    expected = mmcv.ops.batched_nms(boxes, scores, classes, config)
    stand_in()
    got = mmcv.ops.batched_nms(boxes, scores, classes, config)
    torch.testing.assert_close(got, expected)


@compared
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('offset', [0, 1])
def test_soft_nms_equals_mmcvs(stand_in, offset, method):
    boxes, scores = crowd(100)
    options = dict(method=method, offset=offset, min_score=0.05, sigma=0.4)
    expected = mmcv.ops.soft_nms(boxes, scores, 0.3, **options)
    stand_in()
    torch.testing.assert_close(
        mmcv.ops.soft_nms(boxes, scores, 0.3, **options), expected
    )
    assert len(expected[1]) < len(boxes)


@compared
def test_groups_of_nms_equal_mmcvs(stand_in):
    boxes, scores = crowd()
    dets = torch.cat([boxes, scores[:, None]], 1)
    expected = mmcv.ops.nms_match(dets, 0.5)
    stand_in()
    got = mmcv.ops.nms_match(dets, 0.5)
    assert [one.tolist() for one in got] == [one.tolist() for one in expected]
    assert sum(map(len, got)) == len(boxes)


def test_nms_drops_what_overlaps_a_better_box_too_much(stand_in):
    stand_in()
    boxes = torch.tensor(
        [[0, 0, 9.0, 9], [1, 0, 10, 9], [0, 0, 4, 9], [50, 50, 59, 59]]
    )
    scores = torch.tensor([0.6, 0.9, 0.8, 0.1])
    dets, kept = mmcv.ops.nms(boxes, scores, 0.5)
    assert kept.tolist() == [1, 2, 3]
    assert dets[:, 4].tolist() == scores[kept].tolist()


def test_pixels_of_a_box_belong_to_it_with_an_offset(stand_in):
    # Two rows of pixels each, one shared: a third of the union.
    stand_in()
    boxes = np.array([[0, 0, 9, 1], [0, 1, 9, 2]], dtype=np.float32)
    scores = np.array([0.9, 0.8], dtype=np.float32)
    assert len(mmcv.ops.nms(boxes, scores, 0.3, offset=1)[1]) == 1
    assert len(mmcv.ops.nms(boxes, scores, 0.3, offset=0)[1]) == 2


def test_soft_nms_lowers_the_score_by_the_overlap(stand_in):
    stand_in()
    boxes = torch.tensor([[0, 0, 10.0, 10], [0, 5, 10, 15], [40, 40, 50, 50]])
    scores = torch.tensor([0.9, 0.6, 0.5])
    dets, kept = mmcv.ops.soft_nms(boxes, scores, 0.3, method='linear')
    assert kept.tolist() == [0, 2, 1]
    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.5, 0.6 * 2 / 3]))


def test_suppressed_boxes_are_grouped_with_their_best(stand_in):
    stand_in()
    dets = torch.tensor(
        [[0, 0, 9.0, 9, 0.6], [1, 0, 10, 9, 0.9], [50, 50, 59, 59, 0.7]]
    )
    assert [one.tolist() for one in mmcv.ops.nms_match(dets, 0.5)] == [[1, 0], [2]]


@pytest.mark.parametrize('function', [mmcv.ops.nms, mmcv.ops.soft_nms])
def test_suppression_of_no_boxes_is_empty(stand_in, function):
    stand_in()
    dets, kept = function(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert dets.shape == (0, 5)
    assert kept.shape == (0,)


# --- Deformable convolution and attention ---------------------------------------------


def deformation(
    groups: int, deform_groups: int, stride: int, dilation: int
) -> tuple[dict, list[Tensor]]:
    """Options, and features, offsets, weights and the weights of the samples."""
    options = dict(
        stride=stride,
        padding=(1, 2),
        dilation=dilation,
        groups=groups,
        deform_groups=deform_groups,
    )
    height = (12 + 2 - dilation * 2 - 1) // stride + 1
    width = (16 + 4 - dilation * 2 - 1) // stride + 1
    shapes = [
        (2, 4, 12, 16),
        (2, deform_groups * 18, height, width),
        (6, 4 // groups, 3, 3),
        (2, deform_groups * 9, height, width),
    ]
    return options, [torch.randn(shape, requires_grad=True) for shape in shapes]


GEOMETRIES = [(1, 1, 1, 1), (2, 1, 2, 1), (1, 2, 1, 2), (2, 4, 2, 2)]


@compared
@pytest.mark.parametrize('geometry', GEOMETRIES)
def test_deformable_convolution_equals_mmcvs(stand_in, geometry):
    options, (images, offsets, weights, _) = deformation(*geometry)
    call = lambda *inputs: mmcv.ops.deform_conv2d(  # noqa: E731
        *inputs, *options.values()
    )
    assert_equal_outcomes(call, [images, offsets, weights], stand_in)


def test_weights_of_a_deformable_convolution_learn_alone_as_with_the_rest(stand_in):
    stand_in()
    options, (images, offsets, weights, _) = deformation(2, 2, 2, 1)
    call = lambda *inputs: mmcv.ops.deform_conv2d(  # noqa: E731
        *inputs, *options.values()
    )
    everything = outcome(call, images, offsets, weights)
    alone = outcome(call, images.detach(), offsets.detach(), weights)
    torch.testing.assert_close(alone, [everything[0], everything[3]])
    # Twice through one graph, as with retain_graph.
    loss = call(images, offsets, weights).sum()
    first, second = (
        torch.autograd.grad(loss, weights, retain_graph=True)[0] for _ in range(2)
    )
    torch.testing.assert_close(first, second)


@compared
@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('geometry', GEOMETRIES)
def test_modulated_deformable_convolution_equals_mmcvs(stand_in, geometry, bias):
    options, (images, offsets, weights, mask) = deformation(*geometry)
    inputs = [images, offsets, mask, weights]
    if bias:
        inputs.append(torch.randn(6, requires_grad=True))

    def call(*inputs: Tensor) -> Tensor:
        given = inputs if bias else (*inputs, None)
        return mmcv.ops.modulated_deform_conv2d(*given, *options.values())

    assert_equal_outcomes(call, inputs, stand_in)


@pytest.mark.parametrize('modulated', [True, False])
def test_deformation_by_nothing_is_a_convolution(stand_in, modulated):
    stand_in()
    options, (images, offsets, weights, mask) = deformation(2, 2, 2, 1)
    still = torch.zeros_like(offsets)
    if modulated:
        call = lambda images, weights: mmcv.ops.modulated_deform_conv2d(  # noqa: E731
            images, still, torch.ones_like(mask), weights, None, *options.values()
        )
    else:
        call = lambda images, weights: mmcv.ops.deform_conv2d(  # noqa: E731
            images, still, weights, *options.values()
        )
    options_of_plain = {k: v for k, v in options.items() if k != 'deform_groups'}
    plain = lambda images, weights: torch.nn.functional.conv2d(  # noqa: E731
        images, weights, None, **options_of_plain
    )
    torch.testing.assert_close(
        outcome(call, images, weights), outcome(plain, images, weights)
    )


def test_gradients_of_deformable_convolution_are_those_of_its_values(stand_in):
    stand_in()
    options, inputs = deformation(2, 2, 2, 1)
    images, offsets, weights, mask = (one[:1].detach().double() for one in inputs)
    weights = inputs[2].detach().double()
    inputs = [one.requires_grad_() for one in (images, offsets, weights, mask)]
    assert gradcheck(
        lambda x, o, w, m: mmcv.ops.modulated_deform_conv2d(
            x, o, m, w, None, *options.values()
        )[:, :, ::3, ::3],
        inputs,
        fast_mode=True,
    )
    assert gradcheck(
        lambda x, o, w: mmcv.ops.deform_conv2d(x, o, w, *options.values()),
        inputs[:3],
        fast_mode=True,
    )


def test_deformable_attention_of_a_gpu_equals_mmcvs_pytorch_path(stand_in):
    # On the CPU mmcv takes its PyTorch path by itself, on a GPU the operator.
    module = importlib.import_module('mmcv.ops.multi_scale_deform_attn')
    stand_in()
    shapes = torch.tensor([[6, 4], [3, 2]])
    starts = torch.tensor([0, 24])
    inputs = [
        torch.rand(2, 30, 2, 8, requires_grad=True),
        torch.rand(2, 5, 2, 2, 4, 2, requires_grad=True),
        torch.rand(2, 5, 2, 2, 4, requires_grad=True),
    ]
    got = outcome(
        lambda value, places, weights: module.MultiScaleDeformableAttnFunction.apply(
            value, shapes, starts, places, weights, 64
        ),
        *inputs,
    )
    expected = outcome(
        lambda value, places, weights: module.multi_scale_deformable_attn_pytorch(
            value, shapes, places, weights
        ),
        *inputs,
    )
    torch.testing.assert_close(got, expected)


# --- Others ---------------------------------------------------------------------------


@pytest.mark.parametrize('weighted', [True, False])
def test_focal_loss_of_classes_equals_mmdets_formula(stand_in, weighted):
    # mmcv compiles this loss for GPUs only; mmdet has it in PyTorch beside.
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    stand_in()
    logits = (torch.randn(7, 4) * 3).requires_grad_()
    classes = torch.tensor([0, 1, 3, 2, 1, 0, 3])
    weights = torch.tensor([0.5, 1.0, 2.0, 3.0])
    got = outcome(
        lambda x: mmcv.ops.sigmoid_focal_loss(
            x, classes, 2.0, 0.25, weights if weighted else None, 'none'
        ),
        logits,
    )
    of_row = weights[classes][:, None] if weighted else None
    one_hot = torch.nn.functional.one_hot(classes, 4)
    expected = outcome(
        lambda x: py_sigmoid_focal_loss(x, one_hot, of_row, 2.0, 0.25, 'none'), logits
    )
    torch.testing.assert_close(got[0], expected[0])
    # mmcv takes one gradient for the whole loss, not one for each class.
    total = lambda x: mmcv.ops.sigmoid_focal_loss(  # noqa: E731
        x, classes, 2.0, 0.25, weights if weighted else None, 'sum'
    )
    theirs = lambda x: py_sigmoid_focal_loss(  # noqa: E731
        x, one_hot, of_row, 2.0, 0.25, 'sum'
    )
    torch.testing.assert_close(
        torch.autograd.grad(total(logits), logits),
        torch.autograd.grad(theirs(logits), logits),
    )


def test_focal_loss_of_background_takes_all_classes_as_negative(stand_in):
    stand_in()
    logits = torch.tensor([[2.0, -1.0]])
    loss = mmcv.ops.sigmoid_focal_loss(
        logits, torch.tensor([2]), 2.0, 0.25, None, 'none'
    )
    likely = logits.sigmoid()
    torch.testing.assert_close(loss, -0.75 * likely**2 * (1 - likely).log())


def test_masked_convolution_is_the_convolution_where_the_mask_is(stand_in):
    stand_in()
    layer = mmcv.ops.MaskedConv2d(3, 5, 3, padding=1)
    image = torch.randn(1, 3, 6, 8)
    mask = (torch.rand(1, 6, 8) > 0.5).float()
    with torch.no_grad():
        torch.testing.assert_close(layer(image, mask), layer(image) * mask)


@pytest.mark.parametrize('name', ['carafe_forward', 'nms_rotated', 'made_up'])
def test_another_operator_is_there_and_says_how_to_compile_it_when_called(name):
    operator = mmcv_operators.not_available(name)
    with pytest.raises(NotImplementedError) as error:
        operator(torch.zeros(1), scale_factor=2)
    said = str(error.value)
    assert said.startswith(f'{name} is an operator of mmcv')
    assert 'MMCV_WITH_OPS=1 pip install' in said
    assert mmcv.__version__ in said


def test_names_that_are_no_operators_are_not_there():
    with pytest.raises(AttributeError, match='__file__'):
        mmcv_operators.not_available('__file__')
