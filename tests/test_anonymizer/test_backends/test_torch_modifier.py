import numpy as np
import pytest
import torch

from mmanon.anonymizer.backends.base import build_backend
from mmanon.anonymizer.backends.torch_modifier import (
    TorchModifier,
    build_modifier,
    build_modifier_and_card,
)
from mmanon.models.modifiers import GaussianNoiseModifier, ResNetModifier
from mmanon.models.weight_files import save_weights, tell_card
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import ModifierCard


def faces(count=1, size=32):
    random = np.random.default_rng(0)
    return random.uniform(-1, 1, (count, 3, size, size)).astype(np.float32)


def test_noise_is_the_same_along_a_track_and_differs_between_tracks():
    def drawn(tracks, seed=None):
        backend = TorchModifier(GaussianNoiseModifier(), 0.3, seed=seed)
        grey = np.zeros((len(tracks), 3, 32, 32), np.float32)
        return backend.modify(grey, tracks)[0]

    first, second, other, alone, also_alone = drawn([3, 3, 4, -1, -1])
    assert first.std() > 0.3 and np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert not np.array_equal(alone, also_alone)
    # Nobody shall draw it again, unless it was asked for.
    assert not np.array_equal(drawn([3]), drawn([3]))
    assert np.array_equal(drawn([3], seed=5), drawn([3], seed=5))


def test_drawing_leaves_torchs_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    TorchModifier(GaussianNoiseModifier(), 0.3).modify(faces(), [0])
    assert torch.equal(torch.rand(3), expected)


def test_faces_that_an_untrained_modifier_would_let_through_are_masked():
    backend = TorchModifier(ResNetModifier(base_channels=4, num_blocks=1), 0.3)
    drawn, masked = backend.modify(faces(2), [0, 1])
    assert masked.tolist() == [True, True] and not drawn.any()


# --- Which modifier -------------------------------------------------------------------


@pytest.mark.parametrize(
    'name', ['PixelateModifier', 'pixelate', 'mmanon.PixelateModifier']
)
def test_modifiers_are_named_in_full_or_for_short(name):
    assert type(build_modifier(name)[0]).__name__ == 'PixelateModifier'


def test_an_unknown_name_tells_those_that_are_known():
    with pytest.raises(ValueError, match='PixelateModifier'):
        build_modifier('Pixelator')


def test_a_training_config_brings_modifier_and_geometry(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        "custom_hooks = [dict(type='mmanon.AdversarialAnonymizationHook', "
        "modifier=dict(type='mmanon.ResNetModifier', base_channels=4, num_blocks=1), "
        'crop_size=96, margin=0.5)]'
    )
    modifier, geometry = build_modifier(path)
    assert isinstance(modifier, ResNetModifier)
    assert geometry == CropGeometry(96, 0.5, 0.1)
    path.write_text("modifier = dict(type='mmanon.PixelateModifier', blocks=3)")
    modifier, geometry = build_modifier(path)
    assert modifier.blocks == 3 and geometry == CropGeometry()
    path.write_text('a = 1')
    with pytest.raises(ValueError, match='contains no modifier'):
        build_modifier(path)


TINY = dict(type='mmanon.ResNetModifier', base_channels=4, num_blocks=1)


@pytest.mark.parametrize('prefix', ['', 'modifier.', 'modifier_ema.module.'])
def test_weights_come_from_an_export_or_a_training_checkpoint(tmp_path, prefix):
    trained = ResNetModifier(base_channels=4, num_blocks=1)
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter)
    trained.record_update()
    state = {prefix + name: one for name, one in trained.state_dict().items()}
    if prefix:
        state['detector.weight'] = torch.zeros(2)
    if prefix.startswith('modifier_ema'):
        other = ResNetModifier(base_channels=4, num_blocks=1).state_dict()
        state.update({f'modifier.{name}': one for name, one in other.items()})
    torch.save(dict(state_dict=state), tmp_path / 'm.pth')
    loaded, _ = build_modifier(TINY, tmp_path / 'm.pth')
    face = torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded(face), trained.eval()(face)) and not loaded.is_untrained


def test_weights_that_are_not_the_modifiers_are_refused(tmp_path):
    path = tmp_path / 'm.pth'
    with pytest.raises(FileNotFoundError, match='m.pth'):
        build_modifier(TINY, path)
    other = ResNetModifier(base_channels=8, num_blocks=1)
    torch.save(dict(state_dict=other.state_dict()), path)
    with pytest.raises(ValueError, match='does not hold the weights'):
        build_modifier(TINY, path)
    with pytest.raises(ValueError, match='no weights to load'):
        build_modifier('pixelate', path)
    path.write_bytes(b'nothing of the kind')
    with pytest.raises(ValueError, match='seems to be a text file'):
        build_modifier(TINY, path)


CARD = ModifierCard(
    TINY, CropGeometry(96, 0.5, 0.1), trained_on='faces of data/faces', licence='CC0'
)


def trained_file(path, card=CARD):
    """A file as `mmanon export` writes it."""
    modifier = ResNetModifier(base_channels=4, num_blocks=1)
    for parameter in modifier.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    modifier.record_update()
    meta = {}
    if card is not None:
        tell_card(meta, card)
    save_weights(path, modifier.state_dict(), **meta)
    return modifier.eval()


def test_an_exported_file_needs_nothing_beside_it(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmanon.anonymizer.backends.torch_modifier.print_log',
        lambda message, **_: said.append(message),
    )
    trained = trained_file(tmp_path / 'm.pth')
    backend, geometry = build_backend(tmp_path / 'm.pth')
    assert geometry == CARD.geometry
    with torch.no_grad():
        expected = trained(torch.from_numpy(faces())).numpy()
    assert np.abs(backend.modify(faces(), [0])[0] - expected).max() < 1e-6
    assert 'trained on faces of data/faces' in said[0] and 'licence: CC0' in said[0]
    with pytest.raises(ValueError, match='leave out other.pth'):
        build_backend(tmp_path / 'm.pth', 'other.pth')


def test_weights_bring_the_geometry_unless_the_config_says_it(tmp_path):
    trained_file(tmp_path / 'm.pth')
    _, card = build_modifier_and_card(TINY, tmp_path / 'm.pth')
    assert card.geometry == CARD.geometry and card.licence == 'CC0'
    config = tmp_path / 'config.py'
    config.write_text(f'modifier = {TINY!r}\ncrop_size = 64\n')
    _, card = build_modifier_and_card(config, tmp_path / 'm.pth')
    assert card.geometry == CropGeometry(64) and card.licence == 'CC0'


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'<!doctype html><html>', 'm.pth .*web page'),
        (b'', 'm.pth .*cut short|m.pth .*empty'),
        (b'version https://git-lfs.github.com/spec/v1', 'm.pth .*Git LFS'),
    ],
)
def test_a_file_of_another_kind_is_named_in_one_sentence(tmp_path, content, said):
    (tmp_path / 'm.pth').write_bytes(content)
    for arguments in ([tmp_path / 'm.pth'], [TINY, tmp_path / 'm.pth']):
        with pytest.raises(ValueError, match=said) as caught:
            build_backend(*arguments)
        assert '\n' not in str(caught.value)


def test_a_file_that_does_not_say_what_it_holds_is_refused_with_what_to_do(tmp_path):
    trained_file(tmp_path / 'm.pth', card=None)
    with pytest.raises(ValueError, match='does not tell which modifier'):
        build_backend(tmp_path / 'm.pth')
