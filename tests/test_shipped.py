"""Modifiers that are called by a name, from their files to what they draw."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from named_modifier import CONFIG, GEOMETRY

import mmanon.shipped
from mmanon.anonymizer import AnonymizerInferencer
from mmanon.anonymizer.backends.base import build_backend
from mmanon.anonymizer.backends.onnx_modifier import TOLERANCE, OnnxModifier
from mmanon.anonymizer.backends.torch_modifier import (
    TorchModifier,
    build_modifier_and_card,
)
from mmanon.cli.anonymize import main
from mmanon.cli.name_modifier import main as name_modifier
from mmanon.registry import MODELS
from mmanon.shipped import find_modifier, list_modifiers, shipped_weights

SHIPPED = Path(mmanon.shipped.__file__).parent


def faces(count=2, size=24):
    rng = np.random.default_rng(count)
    return rng.uniform(-1, 1, (count, 3, size, size)).astype(np.float32)


def test_a_modifier_is_found_by_its_name_and_drawn_without_pytorch(
    stranger, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'torch', None)
    backend, geometry = build_backend(stranger, seed=1)
    assert isinstance(backend, OnnxModifier) and geometry == GEOMETRY
    drawn, masked = backend.modify(faces(), [0, 1])
    assert not masked.any() and np.abs(drawn - faces()).mean() > 0.1
    assert AnonymizerInferencer.list_modifiers()[:2] == [stranger, 'pixelate']


def test_on_another_device_pytorch_draws_the_same(stranger):
    by_onnx, _ = build_backend(stranger, seed=1)
    by_torch, geometry = build_backend(stranger, seed=1, device='cpu:0')
    assert isinstance(by_torch, TorchModifier) and geometry == GEOMETRY
    one, other = (each.modify(faces(), [0, 1])[0] for each in (by_onnx, by_torch))
    assert np.abs(one - other).max() <= TOLERANCE


def test_an_unknown_name_is_told_with_those_that_are_known(stranger):
    with pytest.raises(ValueError, match="'strangler'; there are stranger, pixelate"):
        AnonymizerInferencer('strangler')


def test_without_pytorch_an_unknown_name_is_told_with_the_nearest(
    stranger, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(ImportError, match='did you mean stranger'):
        AnonymizerInferencer('strangler')


def test_the_command_lists_the_names(stranger, capsys):
    with pytest.raises(SystemExit) as ended:
        main(['--list-modifiers'])
    assert ended.value.code == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith('stranger: learned, ')
    assert first.endswith('stranger.pth') and 'stranger.onnx' in first
    assert 'blur: hand-crafted' in others


def test_a_search_path_that_is_no_folder_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv('MMANON_MODIFIERS', str(tmp_path / 'nowhere'))
    with pytest.raises(ValueError, match='MMANON_MODIFIERS names .*nowhere, which is'):
        list_modifiers()
    with pytest.raises(SystemExit):
        main(['--list-modifiers'])
    assert 'nowhere' in capsys.readouterr().err


def test_of_two_of_one_name_the_first_is_taken_and_other_files_have_none(
    monkeypatch, tmp_path
):
    for folder in ('one', 'two'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'a.onnx').touch()
    for name in ('b.txt', '.c.onnx', 'd.pth'):
        (tmp_path / 'two' / name).touch()
    monkeypatch.setenv('MMANON_MODIFIERS', f'{tmp_path}/one:{tmp_path}/two')
    found = [one for one in list_modifiers() if tmp_path in (one[1] or one[2]).parents]
    assert [one.name for one in found] == ['a', 'd']
    assert find_modifier('a').onnx == tmp_path / 'one' / 'a.onnx'
    assert find_modifier('d').onnx is None and find_modifier('../one/a') is None


# Going on from a named one


def test_training_goes_on_from_a_named_modifier(stranger):
    init = dict(type='Pretrained', checkpoint=f'mmanon://{stranger}')
    modifier = MODELS.build(dict(**CONFIG, init_cfg=init))
    modifier.init_weights()
    expected, _ = build_modifier_and_card(shipped_weights(f'mmanon://{stranger}'))
    state = modifier.state_dict()
    assert not modifier.is_untrained
    assert all(
        torch.equal(value, state[key]) for key, value in expected.state_dict().items()
    )


def test_weights_of_another_architecture_are_told_with_theirs(stranger):
    init = dict(type='Pretrained', checkpoint=f'mmanon://{stranger}')
    other = MODELS.build({**CONFIG, 'code_size': 5, 'init_cfg': init})
    with pytest.raises(ValueError, match="They belong to .*'code_size': 3.*: use that"):
        other.init_weights()


def test_a_name_without_weights_is_told(stranger, monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match='did you mean `stranger`'):
        shipped_weights('mmanon://strange')
    (tmp_path / 'flat.onnx').touch()
    monkeypatch.setenv('MMANON_MODIFIERS', str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'no flat\.pth next to .*flat\.onnx'):
        shipped_weights('mmanon://flat')


def test_a_config_names_it_for_the_anonymizer_too(stranger, tmp_path):
    init = dict(type='Pretrained', checkpoint=f'mmanon://{stranger}')
    config = Config(dict(modifier=dict(**CONFIG, init_cfg=init), crop_size=24))
    config.dump(tmp_path / 'mine.py')
    backend, _ = build_backend(str(tmp_path / 'mine.py'), seed=1)
    drawn, masked = backend.modify(faces(), [0, 1])
    assert not masked.any()


# What the package holds


FILES = [*SHIPPED.glob('*.onnx'), *SHIPPED.glob('*.pth')]


@pytest.mark.parametrize('name', sorted({path.stem for path in FILES}) or [None])
def test_what_is_shipped_is_whole_small_and_the_same_in_both_files(name):
    if name is None:
        pytest.skip('no modifier is shipped')
    onnx, weights = SHIPPED / f'{name}.onnx', SHIPPED / f'{name}.pth'
    assert onnx.stat().st_size + weights.stat().st_size <= 10e6
    by_onnx = OnnxModifier(onnx, seed=1)
    modifier, card = build_modifier_and_card(weights)
    assert by_onnx.card == card
    assert card.licence and card.trained_on and modifier.key_size
    given = faces(3, card.geometry.crop_size)
    by_torch = TorchModifier(modifier, card.geometry.margin, seed=1)
    one, other = (each.modify(given, [0, 1, 2])[0] for each in (by_onnx, by_torch))
    assert np.abs(one - other).max() <= TOLERANCE


# Giving a name


def test_a_modifier_gets_a_name_with_both_its_files(
    named_folder, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / 'mine'
    command = [str(named_folder / 'stranger.pth'), 'me', '--folder', str(folder)]
    assert name_modifier(command) == 1
    assert 'give it as --licence' in capsys.readouterr().err and not folder.exists()
    assert name_modifier([*command, '--licence', 'CC0', '--feather', '0.02']) == 0
    assert 'rounding changes the output' in capsys.readouterr().out

    monkeypatch.setenv('MMANON_MODIFIERS', str(folder))
    backend, geometry = build_backend('me', seed=1)
    assert geometry == replace(GEOMETRY, feather=0.02)
    assert backend.card.licence == 'CC0' and backend.card.modifier == CONFIG
    modifier, card = build_modifier_and_card(shipped_weights('mmanon://me'))
    assert card == backend.card
    drawn = backend.modify(faces(), [0, 1])[0]
    by_torch = TorchModifier(modifier, 0.5, seed=1).modify(faces(), [0, 1])[0]
    assert np.abs(drawn - by_torch).max() <= TOLERANCE
    # Halves of what they were, and nearly the same faces.
    original = named_folder / 'stranger.onnx'
    before = OnnxModifier(original, seed=1).modify(faces(), [0, 1])[0]
    assert np.abs(drawn - before).mean() < 0.01
    for kind in ('onnx', 'pth'):
        old, new = named_folder / f'stranger.{kind}', folder / f'me.{kind}'
        assert new.stat().st_size < 0.75 * old.stat().st_size


def test_a_name_that_is_none_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        name_modifier(['m.pth', '../m', '--folder', str(tmp_path)])
    assert 'a name consists of letters' in capsys.readouterr().err
