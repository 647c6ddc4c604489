"""Where PyTorch and ONNX Runtime really run, with GPUs that are made up."""

import sys
from types import ModuleType

import pytest

from mmanon.utils.devices import Place, check_device, cuda_number, told_places
from mmanon.utils.devices import torch_place as place_of
from mmanon.utils.onnx_runtime import open_session

CUDA, CPU = 'CUDAExecutionProvider', 'CPUExecutionProvider'


@pytest.fixture
def torch(monkeypatch):
    """PyTorch, as if it had been built with CUDA and there were two GPUs."""
    torch = pytest.importorskip('torch')
    monkeypatch.setattr(torch.version, 'cuda', '13.0')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    zeros = torch.zeros
    monkeypatch.setattr(torch, 'zeros', lambda *shape, device: zeros(*shape))
    return torch


def test_devices_have_the_names_of_pytorch():
    for name in ('cpu', 'cuda', 'cuda:0', 'cuda:12', 'mps'):
        assert check_device(name) == name
    for name in ('gpu', 'cuda:', 'cuda:-1', 'CUDA', '0', 'cuda:0,1'):
        with pytest.raises(ValueError, match=f"must be 'cpu', 'cuda'.* got '{name}'"):
            check_device(name)
    assert (cuda_number('cuda'), cuda_number('cuda:3')) == (0, 3)


def test_a_gpu_that_works_is_named_with_its_number(torch):
    assert place_of('cuda') == Place('cuda:0', 'PyTorch')
    assert place_of('cuda:1') == Place('cuda:1', 'PyTorch')
    assert place_of('cpu') == Place('cpu', 'PyTorch')


def test_what_keeps_pytorch_from_a_gpu_is_told(torch, monkeypatch):
    assert (
        place_of('cuda:2').missing
        == 'there is no cuda:2: PyTorch sees 2 CUDA device(s)'
    )

    def refuse(*shape, device):
        raise RuntimeError('no kernel image is available\nfor execution')

    monkeypatch.setattr(torch, 'zeros', refuse)
    place = place_of('cuda')
    assert place.device == 'cpu' and place.missing.endswith(
        'cannot use cuda:0: no kernel image is available'
    )
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert place_of('cuda').missing == 'PyTorch sees no CUDA device'
    monkeypatch.setattr(torch.version, 'cuda', None)
    assert 'is a build without CUDA' in place_of('cuda').missing


def test_without_pytorch_it_is_the_cpu(monkeypatch):
    monkeypatch.setattr('mmanon.utils.devices.find_spec', lambda name: None)
    assert place_of('cuda') == Place('cpu', 'PyTorch', 'PyTorch is not installed')


def test_one_sentence_says_where_everything_runs_and_a_reason_once():
    why = 'PyTorch sees no CUDA device'
    parts = [
        ('faces are found', Place('cuda:0', 'ONNX Runtime')),
        ('drawn over', Place('cpu', 'NumPy', why)),
        ('people are recognized', Place('cpu', 'PyTorch', why)),
    ]
    assert told_places('cuda', parts) == (
        'device cuda: faces are found on cuda:0 (ONNX Runtime), drawn over on the CPU '
        f'(NumPy), people are recognized on the CPU (PyTorch), since {why}'
    )


class Session:
    """Of ONNX Runtime, with the providers that it got."""

    def __init__(self, model, options=None, providers=()):
        self.providers = providers
        if model == b'broken':
            raise RuntimeError('Protobuf parsing failed.\nAt all.')
        if model == b'no driver' and providers[0] != CPU:
            raise RuntimeError('CUDA failure 35\nmore')
        if model == b'no library':
            self.providers = [CPU]
        self.falls_back = True

    def get_providers(self):
        return [one if isinstance(one, str) else one[0] for one in self.providers]

    def disable_fallback(self):
        self.falls_back = False


@pytest.fixture
def runtime(monkeypatch):
    """An ONNX Runtime that was built with CUDA."""
    module = ModuleType('onnxruntime')
    module.__version__, module.InferenceSession = '1.30.0', Session
    module.disable_telemetry_events = lambda: None
    module.get_available_providers = lambda: [CUDA, CPU]
    loaded = []
    module.preload_dlls = lambda: loaded.append(True)
    module.loaded = loaded
    monkeypatch.setitem(sys.modules, 'onnxruntime', module)
    return module


def test_onnx_runtime_gets_the_gpu_that_was_named_and_does_not_leave_it(runtime):
    session, place = open_session(b'model', 'cuda:1')
    (provider, chosen), last = session.providers
    assert (provider, chosen['device_id'], last) == (CUDA, 1, CPU)
    assert chosen['use_tf32'] == 0  # the same faces as on a CPU
    assert place == Place('cuda:1', 'ONNX Runtime') and not session.falls_back
    assert runtime.loaded


def test_onnx_runtime_keeps_to_the_cpu_unless_it_is_asked(runtime):
    session, place = open_session(b'model')
    assert session.providers == [CPU] and place == Place('cpu', 'ONNX Runtime')
    assert not runtime.loaded


@pytest.mark.parametrize(
    ('model', 'reason'),
    [
        (b'no driver', 'ONNX Runtime cannot use the GPU: CUDA failure 35'),
        (b'no library', 'could not load its CUDA provider'),
    ],
)
def test_onnx_runtime_that_cannot_use_the_gpu_says_why(runtime, model, reason):
    session, place = open_session(model, 'cuda')
    assert place.device == 'cpu' and reason in place.missing
    assert session.providers == [CPU]


def test_onnx_runtime_without_cuda_names_the_package_that_has_it(runtime):
    runtime.get_available_providers = lambda: [CPU]
    _, place = open_session(b'model', 'cuda')
    assert 'pip install onnxruntime-gpu' in place.missing
    _, place = open_session(b'model', 'mps')
    assert place.missing == 'mmanon does not run ONNX Runtime on mps'


def test_a_broken_model_is_an_error_on_any_device(runtime):
    for device in ('cpu', 'cuda'):
        with pytest.raises(RuntimeError, match='Protobuf'):
            open_session(b'broken', device)
