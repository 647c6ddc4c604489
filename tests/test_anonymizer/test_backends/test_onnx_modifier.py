import subprocess
import sys

import numpy as np
import pytest
import torch
from made_videos import is_red, picture, read_frames, write_video

from mmanon.anonymizer.backends.base import build_backend
from mmanon.anonymizer.backends.onnx_modifier import (
    TOLERANCE,
    OnnxModifier,
    export_modifier,
)
from mmanon.anonymizer.backends.torch_modifier import TorchModifier
from mmanon.models.modifiers import (
    BottleneckModifier,
    DownsampleModifier,
    GaussianNoiseModifier,
    IdentityModifier,
    ResNetModifier,
    SolidMaskModifier,
    UNetModifier,
)
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import ModifierCard

GEOMETRY = CropGeometry(64, 0.4, 0.05)


def trained(modifier):
    torch.manual_seed(0)
    for parameter in modifier.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    modifier.record_update()
    return modifier.eval()


def resnet():
    return trained(ResNetModifier(base_channels=8, num_blocks=2))


def faces(count, size=64):
    rng = np.random.default_rng(count)
    return rng.uniform(-1, 1, (count, 3, size, size)).astype(np.float32)


@pytest.mark.parametrize(
    'make',
    [
        resnet,
        lambda: trained(UNetModifier(base_channels=8)),
        lambda: trained(UNetModifier(base_channels=8, start='blend')),
        lambda: DownsampleModifier(8),
        SolidMaskModifier,
    ],
)
def test_onnx_runtime_draws_what_pytorch_draws(tmp_path, make):
    modifier, path = make(), tmp_path / 'deep' / 'm.onnx'
    assert export_modifier(modifier, GEOMETRY, path) <= TOLERANCE
    drawer = OnnxModifier(path)
    assert drawer.geometry == GEOMETRY
    for count in (1, 5):
        given = faces(count)
        drawn, covered = drawer.modify(given, [0] * count)
        expected, _ = TorchModifier(modifier, 0.4).modify(given, [0] * count)
        assert drawn.shape == given.shape and drawn.dtype == np.float32
        assert np.abs(drawn - expected).max() <= TOLERANCE
        assert covered.shape == (count,) and not covered.any()


def test_a_modifier_with_keys_draws_one_person_along_a_track(tmp_path):
    modifier = trained(BottleneckModifier(24, code_size=3, base_channels=8))
    given = np.repeat(faces(1), 3, 0)
    assert export_modifier(modifier, GEOMETRY, tmp_path / 'm.onnx') <= TOLERANCE

    one, other = (OnnxModifier(tmp_path / 'm.onnx', seed) for seed in (1, 2))
    drawn, _ = one.modify(given, [4, 4, 5])

    assert np.array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).mean() > 1e-3
    assert np.array_equal(one.modify(given[:1], [4])[0][0], drawn[0])
    assert not np.allclose(other.modify(given[:1], [4])[0][0], drawn[0])
    secret = OnnxModifier(tmp_path / 'm.onnx')
    assert not np.allclose(secret.modify(given[:1], [4])[0][0], drawn[0])
    # The same seed draws the same in PyTorch.
    same, _ = TorchModifier(modifier, GEOMETRY.margin, seed=1).modify(given, [4, 4, 5])
    np.testing.assert_allclose(same, drawn, atol=TOLERANCE)


def test_faces_that_would_come_through_are_covered_without_pytorch_too(tmp_path):
    modifier = ResNetModifier(base_channels=4, num_blocks=1)  # begins as the identity
    modifier.record_update()
    export_modifier(modifier, GEOMETRY, tmp_path / 'm.onnx')
    drawn, covered = OnnxModifier(tmp_path / 'm.onnx').modify(faces(3), [0] * 3)
    assert covered.all() and np.abs(drawn).max() == 0


def test_what_cannot_be_exported_is_refused_and_leaves_no_file(tmp_path):
    class Unknown(IdentityModifier):
        def modify(self, faces):
            return torch.linalg.svd(faces)[0]

    for modifier, said in [
        (ResNetModifier(base_channels=4), 'no trained weights'),
        (GaussianNoiseModifier(), 'draws noise'),
        (Unknown(), 'cannot be exported to ONNX'),
    ]:
        with pytest.raises(ValueError, match=said):
            export_modifier(modifier, GEOMETRY, tmp_path / 'm.onnx')
    assert list(tmp_path.iterdir()) == []


def test_other_files_and_settings_are_refused(tmp_path):
    path = tmp_path / 'm.onnx'
    with pytest.raises(FileNotFoundError, match='m.onnx'):
        build_backend(path)
    path.write_bytes(b'nothing of the kind')
    with pytest.raises(ValueError, match='cannot be read as an ONNX file'):
        build_backend(path)
    network = torch.nn.Conv2d(3, 3, 1)
    torch.onnx.export(network, (torch.zeros(1, 3, 8, 8),), str(path), dynamo=False)
    with pytest.raises(ValueError, match='not a modifier'):
        build_backend(path)
    export_modifier(SolidMaskModifier(), GEOMETRY, path)
    with pytest.raises(ValueError, match='leave out m.pth'):
        build_backend(path, 'm.pth')
    with pytest.raises(ValueError, match='crops of 64 pixels'):
        build_backend(path, margin=0.3)
    assert build_backend(path, feather=0.1)[1] == CropGeometry(64, 0.4, 0.1)


def test_the_card_travels_in_the_file(tmp_path):
    path = tmp_path / 'm.onnx'
    config = dict(type='mmanon.ResNetModifier', base_channels=8, num_blocks=2)
    card = ModifierCard(config, GEOMETRY, 'faces of data', 'CC0', {'acc': 0.5})
    export_modifier(resnet(), card, path)
    assert OnnxModifier(path).card == card


def test_files_of_the_first_version_are_read(tmp_path):
    import onnx

    path = tmp_path / 'm.onnx'
    export_modifier(SolidMaskModifier(), GEOMETRY, path)
    model = onnx.load(str(path))
    (entry,) = model.metadata_props
    entry.value = '{"crop_size": 64, "margin": 0.4, "feather": 0.05}'
    onnx.save(model, str(path))
    assert OnnxModifier(path).geometry == GEOMETRY
    entry.value = '{"margin": 0.4}'
    onnx.save(model, str(path))
    with pytest.raises(ValueError, match='m.onnx: the modifier card lacks crop_size'):
        OnnxModifier(path)


WITHOUT_TORCH = """
import sys
sys.modules['torch'] = None  # importing it is an error from here on
from mmanon.cli.anonymize import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize('modifier', [None, 'm.onnx'])
def test_a_video_is_anonymized_where_pytorch_cannot_be_imported(tmp_path, modifier):
    source = write_video(tmp_path / 'a.mp4', [picture(t) for t in range(8)])
    boxes = tmp_path / 'boxes.json'
    place = [[[6 + 2 * t, 18, 26 + 2 * t, 38]] for t in range(8)]
    boxes.write_text(str({'a.mp4': dict(enumerate(place))}).replace("'", '"'))
    frames = {str(t): one for t, one in enumerate(place)}
    boxes.write_text(str({'a.mp4': frames}).replace("'", '"'))
    options = ['--shape', 'square', '--modifier', 'grey']
    if modifier:
        # Draws the opposite colours: red becomes cyan.
        class Opposite(IdentityModifier):
            def modify(self, faces):
                return -faces

        export_modifier(Opposite(), GEOMETRY, tmp_path / modifier)
        options[-1] = str(tmp_path / modifier)
    command = [sys.executable, '-c', WITHOUT_TORCH, str(source), '-o', str(tmp_path)]
    command[-1] = str(tmp_path / 'out')
    made = subprocess.run(
        [*command, '--boxes', str(boxes), *options], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    frames = read_frames(tmp_path / 'out' / 'a.mp4')
    assert len(frames) == 8 and not any(is_red(frame).any() for frame in frames)
    middle = frames[4][24:32, 20:28].astype(int)
    cyan = (middle[..., 0] < 90).all() and (middle[..., 1:] > 150).all()
    assert cyan == bool(modifier)
