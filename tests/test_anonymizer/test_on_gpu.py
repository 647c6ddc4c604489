"""Anonymizing with ``device='cuda'``: what runs where, and the same covers as on a CPU.

Where there is no GPU one is made up: PyTorch's device ``cpu:0`` is another name of the
CPU, and everything that is done for a GPU is done for it.
"""

import logging
import re

import av
import numpy as np
import pytest
from made_videos import RedSquareDetector, anonymizer, main, picture, write_video
from skimage.data import astronaut

from mmanon.anonymizer import AnonymizerInferencer, group_options
from mmanon.anonymizer.backends.base import FRAMES_AT_ONCE, build_backend, parts_of
from mmanon.anonymizer.io import gpu_codecs
from mmanon.anonymizer.io.gpu_codecs import FromGpu, encoder_on, reading_on
from mmanon.face_detectors import build_face_detector, centerface
from mmanon.face_detectors.named import named_detector
from mmanon.utils import devices
from mmanon.utils.devices import Place

try:
    import torch
except ImportError:
    torch = None

LENGTH = 20
here = torch is not None and torch.cuda.is_available()
needs_torch = pytest.mark.skipif(torch is None, reason='PyTorch is not installed')


def on_gpu(test):
    """A test that is run where PyTorch can use a GPU."""
    skip = pytest.mark.skipif(not here, reason='PyTorch sees no CUDA device')
    return pytest.mark.gpu(skip(test))


@pytest.fixture
def weights():
    """CenterFace's, which a bare machine may lack."""
    try:
        return centerface._find_weights()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def made_up_gpu(monkeypatch):
    """``cuda`` is a second name of the CPU."""
    place = Place('cpu:0', 'PyTorch')
    for module in (
        'mmanon.anonymizer.backends.base',
        'mmanon.anonymizer.backends.torch_modifier',
        'mmanon.face_detectors.centerface',
        'mmanon.face_detectors.mtcnn_networks',
    ):
        monkeypatch.setattr(f'{module}.torch_place', lambda device: place)


@pytest.fixture
def no_gpu(monkeypatch):
    reason = 'PyTorch sees no CUDA device'
    place = Place('cpu', 'PyTorch', reason)
    for module in (
        'mmanon.anonymizer.backends.base',
        'mmanon.anonymizer.backends.torch_modifier',
        'mmanon.face_detectors.centerface',
        'mmanon.face_detectors.mtcnn_networks',
    ):
        monkeypatch.setattr(f'{module}.torch_place', lambda device: place)
    missing = 'NVDEC cannot be used here (Operation not permitted)'
    monkeypatch.setattr(
        'mmanon.anonymizer.io.video_reader.reading_on', lambda *_: (None, missing)
    )
    monkeypatch.setattr(
        'mmanon.anonymizer.video_pipeline.encoder_on', lambda *_: 'no NVENC here'
    )


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, 'mmanon')
    return lambda: [one for one in caplog.messages if one.startswith('device ')]


def red_video(path, length=LENGTH):
    return write_video(path, [picture(t) for t in range(length)])


def pixels_of(source, out, device, **options):
    """The pixels of the output, written without loss."""
    options = {'codec': 'ffv1', 'container': 'mkv', 'every': 1, **options}
    inferencer = anonymizer(device=device, **options)
    (result,) = inferencer(source, out, overwrite=True, show_progress=False)
    assert result.status == 'written', result.reason
    with av.open(str(result.out)) as container:
        return np.stack([one.to_ndarray() for one in container.decode(video=0)])


def test_without_a_gpu_one_sentence_says_so_and_the_cpu_does_it(tmp_path, no_gpu, said):
    first, second = (red_video(tmp_path / f'{name}.mp4') for name in 'ab')
    inferencer = AnonymizerInferencer('pixelate', device='cuda')
    results = inferencer([first, second], tmp_path / 'out', show_progress=False)
    assert [one.status for one in results] == ['written', 'written']
    networks, videos = said()  # and not twice for two videos
    assert (
        'faces are found on the CPU (ONNX Runtime), drawn over on the CPU' in networks
    )
    assert networks.count('PyTorch sees no CUDA device') == 1
    assert videos == (
        'device cuda: videos are decoded on the CPU (FFmpeg), encoded on the CPU '
        '(libx264), since NVDEC cannot be used here (Operation not permitted); '
        'no NVENC here'
    )


def test_on_the_cpu_nothing_is_said_of_devices(tmp_path, said):
    source = red_video(tmp_path / 'a.mp4', 3)
    anonymizer()(source, tmp_path / 'out', show_progress=False)
    assert said() == []


def test_a_device_of_another_name_is_refused(tmp_path, capsys):
    source = red_video(tmp_path / 'a.mp4', 3)
    assert main([str(source), '-o', str(tmp_path / 'out'), '--device', 'gpu']) == 1
    assert "must be 'cpu', 'cuda'" in capsys.readouterr().err


@needs_torch
def test_a_hand_crafted_modifier_goes_to_the_gpu_and_the_default_need_not(made_up_gpu):
    backend, _ = build_backend('mosaic', device='cuda')
    assert str(backend.place) == 'cpu:0 (PyTorch)'
    assert backend.frames_at_once == FRAMES_AT_ONCE
    for modifier in (None, 'black'):
        backend, _ = build_backend(modifier, device='cuda')
        assert backend.place == Place('cpu', 'NumPy')


@needs_torch
def test_faces_of_several_frames_are_drawn_in_one_call_with_the_same_result(
    tmp_path, made_up_gpu, no_codecs, monkeypatch
):
    source = red_video(tmp_path / 'a.mp4')
    options = dict(modifier='blur', crop_size=32)
    expected = pixels_of(source, tmp_path / 'cpu', 'cpu', **options)
    from mmanon.anonymizer.backends.torch_modifier import TorchModifier

    calls, modify = [], TorchModifier.modify

    def counted(self, faces, tracks):
        calls.append(len(faces))
        return modify(self, faces, tracks)

    monkeypatch.setattr(TorchModifier, 'modify', counted)
    got = pixels_of(source, tmp_path / 'gpu', 'cuda', **options)
    assert calls == [FRAMES_AT_ONCE, FRAMES_AT_ONCE, LENGTH - 2 * FRAMES_AT_ONCE]
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.fixture
def no_codecs(monkeypatch):
    """Videos are left to the CPU."""
    monkeypatch.setattr(
        'mmanon.anonymizer.io.video_reader.reading_on', lambda *_: (None, 'not here')
    )


@needs_torch
def test_a_crowd_is_drawn_in_parts(made_up_gpu, monkeypatch):
    backend, _ = build_backend('blur', device='cuda')
    sizes, redrawn = [], backend._redrawn

    def counted(crops, keys=None):
        sizes.append(len(crops))
        return redrawn(crops, keys)

    monkeypatch.setattr(backend, '_redrawn', counted)
    faces = np.random.default_rng(0).uniform(-1, 1, (150, 3, 16, 16)).astype('float32')
    drawn, masked = backend.modify(faces, [-1] * 150)
    assert sizes == [64, 64, 22] and len(masked) == 150
    alone, _ = build_backend('blur')
    assert np.allclose(drawn, alone.modify(faces, [-1] * 150)[0], atol=1e-5)
    assert [part.start for part in parts_of(0)] == []


@needs_torch
def test_centerface_in_pytorch_finds_the_faces_of_onnx_runtime(made_up_gpu):
    pytest.importorskip('onnx')
    there = centerface.CenterFaceDetector(device='cuda')
    assert [str(place) for place in there.places] == ['cpu:0 (PyTorch)']
    assert_same_faces(there, centerface.CenterFaceDetector(), astronaut())


def assert_same_faces(one, other, image):
    found, expected = one.detect(image), other.detect(image)
    assert len(found) == len(expected) > 0
    assert np.abs(found.boxes - expected.boxes).max() <= 1
    assert np.abs(found.scores - expected.scores).max() < 0.01


@needs_torch
def test_other_networks_than_centerface_are_refused():
    onnx = pytest.importorskip('onnx')
    from mmanon.face_detectors.centerface_in_torch import load_in_torch

    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(name, number, [1]) for name in 'xy']
    node = helper.make_node('Gelu', ['x'], ['y'])
    graph = helper.make_graph([node], 'g', ends[:1], ends[1:])
    with pytest.raises(ValueError, match='has no operator Gelu'):
        load_in_torch(helper.make_model(graph).SerializeToString(), 'cpu')


def test_every_detector_says_where_it_runs(no_gpu):
    combined = build_face_detector(named_detector('thorough', device='cuda'))
    (place,) = combined.places
    assert place.device == 'cpu' and 'PyTorch sees no CUDA device' in place.missing
    assert RedSquareDetector().places == ()  # one of somebody's own need not


@pytest.mark.parametrize(
    ('stored', 'given'), [('yuv420p', 'nv12'), ('yuv420p10le', 'p010le')]
)
def test_a_gpus_frames_become_what_the_cpu_decodes(stored, given):
    rng = np.random.default_rng(0)
    frame = av.VideoFrame.from_ndarray(
        rng.integers(0, 255, (48, 64, 3)).astype(np.uint8), 'rgb24'
    ).reformat(format=stored)
    frame.colorspace, frame.color_range, frame.color_trc = 1, 1, 1
    there = frame.reformat(format=given)
    there.colorspace, there.color_range, there.pts = 2, 0, 7
    made = FromGpu(None, frame)(there)
    assert (made.format.name, made.pts) == (stored, 7)
    assert (made.colorspace, made.color_range, made.color_trc) == (1, 1, 1)
    for one, other in zip(made.planes, frame.planes, strict=True):
        assert bytes(one) == bytes(other)
    assert FromGpu(None, frame)(frame) is frame  # decoded by the CPU after all


class Opened:
    """A container of one frame, decoded by a GPU or not."""

    def __init__(self, frame, by_gpu=True):
        self.frame, self.by_gpu = frame, by_gpu

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def streams(self):
        return self

    @property
    def video(self):
        return [self]

    disposition = av.stream.Disposition(0)
    name = 'h264'

    @property
    def codec_context(self):
        return self

    @property
    def is_hwaccel(self):
        return self.by_gpu

    def decode(self, stream):
        return iter([self.frame])


def frame_of(form, size=(64, 48)):
    return av.VideoFrame(*size, form)


@pytest.mark.parametrize(
    ('there', 'reason'),
    [
        (Opened(frame_of('nv12')), None),
        (Opened(frame_of('yuv420p')), 'does not take this kind of h264'),
        (Opened(frame_of('nv12', (64, 32))), 'of another size'),
        (Opened(frame_of('nv12'), by_gpu=False), 'does not know h264'),
        (PermissionError(1, 'Operation not permitted'), r'\(Operation not permitted\)'),
    ],
)
def test_a_file_is_decoded_by_a_gpu_only_where_its_first_frame_is(there, reason):
    asked = []

    def open_input(hwaccel):
        asked.append(hwaccel)
        if hwaccel is not None and isinstance(there, Exception):
            raise there
        return Opened(frame_of('yuv420p')) if hwaccel is None else there

    reading, missing = reading_on('cuda', open_input)
    assert len(asked) == 2
    if reason is None:
        assert missing is None and reading.hwaccel is asked[1]
    else:
        assert reading is None and re.search(reason, missing)


def test_other_pixels_are_left_to_the_cpu():
    reading, missing = reading_on('cuda', lambda _: Opened(frame_of('yuv444p')))
    assert reading is None and missing == 'NVDEC is not used for yuv444p'


def test_nvenc_is_asked_only_for_what_it_takes(monkeypatch):
    monkeypatch.setattr(gpu_codecs, '_missing_encoder', lambda number: None)
    assert encoder_on('cuda', frame_of('yuv420p', (640, 480))) is None
    for form, size in (
        ('yuv420p', (641, 480)),
        ('yuv420p', (64, 48)),
        ('yuv420p', (8192, 480)),
        ('yuv422p', (640, 480)),
    ):
        assert f'{size[0]}x{size[1]} {form}' in encoder_on('cuda', frame_of(form, size))
    assert encoder_on('mps', frame_of('yuv420p')) == 'NVENC is for NVIDIA GPUs'


def test_an_encoder_that_was_chosen_is_not_replaced(tmp_path, no_codecs, monkeypatch):
    def refuse(*_):
        raise AssertionError('nobody asks for NVENC')

    monkeypatch.setattr('mmanon.anonymizer.video_pipeline.encoder_on', refuse)
    source = red_video(tmp_path / 'a.mp4', 3)
    for options in ({'codec': 'mpeg4'}, {'encoder_options': {'preset': 'ultrafast'}}):
        pixels = pixels_of(
            source,
            tmp_path / 'out',
            'cuda',
            container='mp4',
            **{'codec': None, **options},
        )
        assert len(pixels) == 3


@on_gpu
@pytest.mark.parametrize('name', ['centerface', 'mtcnn'])
def test_on_a_gpu_faces_are_found_there_within_a_pixel(name, weights):
    if name == 'mtcnn':
        pytest.importorskip('facenet_pytorch')
        pytest.importorskip('cv2')
    else:
        pytest.importorskip('onnx')
    try:
        there = build_face_detector(named_detector(name, device='cuda'))
    except FileNotFoundError as error:
        pytest.skip(f'the weights are not here: {error}')
    assert [place.device for place in there.places] == ['cuda:0'], there.places
    assert_same_faces(there, build_face_detector(named_detector(name)), astronaut())


@on_gpu
@pytest.mark.parametrize('modifier', ['blur', 'pixelate', 'downsample', 'learned'])
def test_on_a_gpu_modifiers_draw_the_same(modifier):
    pytest.importorskip('mmengine')
    if modifier == 'learned':
        from mmanon.models.modifiers import ResNetModifier

        torch.manual_seed(0)
        modifier = ResNetModifier(base_channels=8, num_blocks=2, start='scratch')
        modifier.record_update()  # as after training
    faces = np.random.default_rng(0).uniform(-1, 1, (9, 3, 64, 64)).astype(np.float32)
    expected = build_backend(modifier)[0].modify(faces, range(9))
    there, _ = build_backend(modifier, device='cuda')
    assert there.place.device == 'cuda:0', there.place
    drawn, masked = there.modify(faces, range(9))
    # A GPU's convolutions have ten bits (TF32); a step of 8-bit pixels is 8e-3.
    away = np.abs(drawn - expected[0])
    assert away.mean() < 4e-3 and away.max() < 0.05
    assert np.array_equal(masked, expected[1])


@on_gpu
def test_on_a_gpu_a_video_gets_the_covers_of_the_cpu(tmp_path, said, weights):
    pytest.importorskip('onnx')
    face = astronaut()[20:260, 100:340]
    pictures = [np.roll(face, 2 * t, axis=1)[:, :240] for t in range(LENGTH)]
    source = write_video(tmp_path / 'a.mp4', pictures)
    options = dict(modifier='blur', codec='ffv1', container='mkv')
    frames = {}
    for device in ('cpu', 'cuda'):
        inferencer = AnonymizerInferencer(**group_options(device=device, **options))
        (result,) = inferencer(source, tmp_path / device, show_progress=False)
        assert result.status == 'written' and result.faces >= LENGTH, result.reason
        with av.open(str(result.out)) as container:
            decoded = [one.to_ndarray() for one in container.decode(video=0)]
        frames[device] = np.stack(decoded).astype(int)
    networks, videos = said()
    assert (
        'faces are found on cuda:0' in networks and 'drawn over on cuda:0' in networks
    )
    assert 'videos are decoded on' in videos
    print(networks, videos, sep='\n')
    # A box that is a pixel larger changes its edge, and no more.
    assert (np.abs(frames['cuda'] - frames['cpu']) > 16).mean() < 0.01


@on_gpu
def test_on_a_gpu_h264_is_decoded_and_encoded_or_it_is_said_why_not(tmp_path, said):
    source = write_video(tmp_path / 'a.mp4', [picture(t, (320, 192)) for t in range(9)])
    (result,) = anonymizer(device='cuda')(source, tmp_path / 'o', show_progress=False)
    assert result.status == 'written' and result.frames == 9, result.reason
    *_, videos = said()
    print(videos)
    for done in ('on cuda:0 (NVDEC)', 'NVDEC cannot be used here'):
        if done in videos:
            break
    else:
        pytest.fail(videos)
    assert 'on cuda:0 (h264_nvenc)' in videos or 'NVENC cannot be used here' in videos


def test_what_is_there_is_what_devices_tells():
    assert (devices.torch_place('cuda').missing is None) == here
