import pytest
import torch
from tiny import tiny_modifier

from mmanon.models.modifier_files import load_modifier
from mmanon.models.weight_files import (
    load_checkpoint,
    modifier_card,
    save_weights,
    tell_card,
)
from mmanon.registry import MODELS
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import ModifierCard

CARD = ModifierCard(
    tiny_modifier(),
    CropGeometry(32, 0.3, 0.1),
    trained_on='faces of data/faces',
    licence='CC BY 4.0',
    figures={'faces/acc_modified': 0.3},
)


@pytest.fixture
def trained():
    modifier = MODELS.build(tiny_modifier())
    modifier.record_update()
    return modifier


def write(path, state, card=CARD):
    meta = {}
    if card is not None:
        tell_card(meta, card)
    save_weights(path, state, **meta)
    return path


def test_a_file_tells_which_modifier_it_holds_and_of_what_it_was_made(
    trained, tmp_path
):
    loaded, card = load_modifier(write(tmp_path / 'm.pth', trained.state_dict()))

    assert card == CARD
    assert type(loaded) is type(trained) and not loaded.is_untrained
    faces = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        assert torch.equal(loaded.eval()(faces), trained.eval()(faces))


def test_a_training_checkpoints_average_is_taken(trained, tmp_path):
    average = {
        name: value / 2 if value.is_floating_point() else value
        for name, value in trained.state_dict().items()
    }
    state = {
        **{f'modifier.{name}': value for name, value in trained.state_dict().items()},
        **{f'modifier_ema.module.{name}': value for name, value in average.items()},
    }

    loaded, _ = load_modifier(write(tmp_path / 'epoch_1.pth', state))

    for name, value in loaded.state_dict().items():
        assert torch.equal(value, average[name])


def test_a_file_that_does_not_tell_is_refused(trained, tmp_path):
    path = write(tmp_path / 'old.pth', trained.state_dict(), card=None)

    assert modifier_card(load_checkpoint(path)) is None
    with pytest.raises(ValueError, match='old.pth does not tell which .* --config'):
        load_modifier(path)
    torch.save(trained.state_dict(), path)
    with pytest.raises(ValueError, match='old.pth does not tell which'):
        load_modifier(path)


def test_a_modifier_that_is_not_registered_is_named(trained, tmp_path):
    card = ModifierCard(dict(type='mmanon.Other'), CropGeometry())
    path = write(tmp_path / 'm.pth', trained.state_dict(), card)

    with pytest.raises(ValueError, match='holds a mmanon.Other, which cannot be built'):
        load_modifier(path)


def test_a_card_of_a_later_version_is_named_with_its_file(trained, tmp_path):
    save_weights(
        tmp_path / 'm.pth',
        trained.state_dict(),
        modifier_card=dict(CARD.to_dict(), format=7),
    )

    with pytest.raises(ValueError, match='m.pth: .* format 7'):
        load_modifier(tmp_path / 'm.pth')


@pytest.mark.parametrize(
    'spoil, message',
    [
        (lambda state: state.popitem(), 'does not hold the weights .* 1 differ'),
        (lambda state: state['updates'].fill_(1), None),
        (
            lambda state: next(iter(state.values())).fill_(float('nan')),
            'weights that are not finite',
        ),
    ],
)
def test_weights_are_taken_whole_or_not_at_all(trained, tmp_path, spoil, message):
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    state = dict(sorted(state.items(), key=lambda item: -item[1].numel()))
    spoil(state)
    path = write(tmp_path / 'm.pth', state)

    if message is None:
        load_modifier(path)
    else:
        with pytest.raises(ValueError, match=message):
            load_modifier(path)


def test_a_hand_crafted_modifier_has_no_weights(trained, tmp_path):
    card = ModifierCard(dict(type='mmanon.PixelateModifier'), CropGeometry())

    with pytest.raises(ValueError, match='PixelateModifier has no weights to load'):
        load_modifier(write(tmp_path / 'm.pth', trained.state_dict(), card))
