import json

import pytest
import torch
from mmengine.config import Config

from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import ModifierCard, find_game_hooks
from mmanon.version import __version__

MODIFIER = dict(type='mmanon.ResNetModifier', base_channels=8, kernel=(3, 3))
CARD = ModifierCard(
    MODIFIER,
    CropGeometry(56, 0.15, 0.05),
    trained_on='faces of data/faces',
    licence='CC BY 4.0',
    figures={'faces/acc_modified': 0.25},
)


def test_a_card_is_the_same_when_read_again(tmp_path):
    assert ModifierCard.from_dict(CARD.to_dict()) == CARD
    assert ModifierCard.from_dict(json.loads(json.dumps(CARD.to_dict()))) == CARD
    torch.save(dict(meta=CARD.to_dict()), tmp_path / 'a.pth')
    meta = torch.load(tmp_path / 'a.pth', weights_only=True)['meta']
    assert ModifierCard.from_dict(meta) == CARD
    assert CARD.mmanon_version == __version__


def test_weights_are_no_part_of_a_card():
    """They are in the same file; where they once came from is nobody's business."""
    cfg = dict(MODIFIER, init_cfg=dict(type='Pretrained', checkpoint='/home/me/a.pth'))

    assert 'init_cfg' not in ModifierCard(cfg, CropGeometry()).modifier


def test_a_class_is_told_by_its_name():
    card = ModifierCard(dict(type=CropGeometry), CropGeometry())

    assert card.modifier['type'] == 'mmanon.structures.crop_geometry.CropGeometry'


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(modifier=dict(base_channels=8)), 'a config with a `type`'),
        (dict(modifier=dict(type='a', f=print)), 'modifier.f is a builtin_function'),
        (dict(crop_size='56'), "crop_size must be a whole number.*'56'"),
        (dict(feather=0.4), 'feather=0.4 .* part of a face show'),
        (dict(licence=None), 'licence must be a text, got None'),
        (dict(figures=dict(eer='low')), "figures.eer must be a number, got 'low'"),
        (dict(figures=[1]), 'figures must be numbers by names'),
        (dict(format=9), 'has format 9.*pip install --upgrade'),
    ],
)
def test_what_is_wrong_in_a_card_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        ModifierCard.from_dict({**CARD.to_dict(), **change})


def test_a_card_without_geometry_is_refused():
    with pytest.raises(ValueError, match='lacks crop_size, margin, feather'):
        ModifierCard.from_dict(dict(modifier=MODIFIER))
    with pytest.raises(ValueError, match='must be a dict'):
        ModifierCard.from_dict('card')


def test_the_first_versions_onnx_files_tell_their_geometry_alone():
    card = ModifierCard.from_dict(dict(crop_size=64, margin=0.3, feather=0.08))

    assert card.geometry == CropGeometry(64, 0.3, 0.08)
    assert card.modifier == {} and card.mmanon_version == ''


def test_keys_of_a_later_version_are_left_out():
    assert ModifierCard.from_dict({**CARD.to_dict(), 'colour': 'red'}) == CARD


def training_config(**hook):
    hook = dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=MODIFIER,
        faces=dict(dataset=dict(data_root='data/faces')),
        **hook,
    )
    videos = dict(data_prefix=dict(img='data/ava/rawframes'))
    return Config(
        dict(
            custom_hooks=[dict(type='mmanon.FacePictureHook'), hook],
            train_dataloader=dict(
                dataset=dict(type='RepeatDataset', times=2, dataset=videos)
            ),
        )
    )


def test_a_training_config_tells_the_card():
    card = ModifierCard.from_config(training_config(crop_size=56, margin=0.15))

    assert card.modifier == {**MODIFIER, 'kernel': [3, 3]}
    # What the config does not say is the hook's own default.
    assert card.geometry == CropGeometry(56, 0.15, 0.1)
    assert card.trained_on == 'faces of data/faces, videos of data/ava/rawframes'


def test_a_config_of_a_modifier_alone_tells_the_card():
    card = ModifierCard.from_config(Config(dict(modifier=MODIFIER, crop_size=96)))

    assert card.geometry == CropGeometry(crop_size=96)
    assert card.trained_on == ''


def test_a_config_without_a_modifier_has_no_card():
    assert ModifierCard.from_config(Config(dict(model=dict()))) is None


def test_game_hooks_are_found_with_their_places():
    assert [place for place, _ in find_game_hooks(training_config())] == [1]
    assert list(find_game_hooks({})) == []
