"""Every spatio-temporal detector of the installed mmaction2, in the game.

The configs are those found in the package. Each is given the anonymizer's line and made
narrower; see mmanon.testing.
"""

import json
from pathlib import Path

import pytest
import torch

from mmanon.testing import STAGES, DetectorCheck, read_config, shipped_configs
from mmanon.testing.shrink import shrink

ANONYMIZER = (
    Path(__file__).parents[2] / 'configs/_base_/anonymizers/resnet9_sphereface20.py'
)
CONFIGS = shipped_configs()
ONLY_PREDICTS = [name for name in CONFIGS if '-infer' in name or '_infer-' in name]


def what_runs(name):
    """What tells two checks apart: not schedules, paths or weights to download."""
    config = read_config(name)
    shrink(config)
    loaders = [
        config.get(f'{stage}_dataloader', {}).get('dataset', {})
        for stage in ('train', 'test')
    ]
    data = [(one.get('type'), one.get('pipeline')) for one in loaders]
    optimizer = config.get('optim_wrapper', {}).get('constructor')
    return json.dumps([config.model, data, optimizer], default=str)


def alike():
    """The configs in groups of which one run speaks for all."""
    groups = {}
    for name in CONFIGS:
        groups.setdefault(what_runs(name), []).append(name)
    return list(groups.values())


def short(names):
    first = names[0].rpartition('/')[2].removesuffix('.py')
    return first if len(names) == 1 else f'{first} and {len(names) - 1} like it'


def test_all_of_mmaction2s_families_are_found():
    families = {name.split('/')[1] for name in CONFIGS}

    assert {'acrn', 'lfb', 'slowfast', 'slowonly', 'videomae'} <= families


@pytest.mark.parametrize('names', alike(), ids=short)
def test_a_detector_trains_and_predicts_in_the_game(names, tmp_path):
    with DetectorCheck(names[0], ANONYMIZER, tmp_path) as check:
        for stage in STAGES:
            if check.why_not(stage) is None:
                check.run(stage)


@pytest.mark.parametrize('name', ONLY_PREDICTS, ids=lambda name: name.split('/')[-1])
def test_what_only_predicts_says_so_and_cannot_be_trained(name, tmp_path):
    with DetectorCheck(name, ANONYMIZER, tmp_path) as check:
        check.run('builds')

        assert 'no training data' in check.why_not('joint step')
        with pytest.raises(RuntimeError, match='_train_loop.* should not be None'):
            check.run('joint step')


def test_a_feature_bank_is_filled_from_modified_clips(tmp_path):
    name = 'mmaction::detection/lfb/slowonly-lfb-infer_r50_ava21-rgb.py'
    with DetectorCheck(name, ANONYMIZER, tmp_path) as check:
        check.run('builds')
        check.run('prediction')
    bank = torch.load(tmp_path / 'data/ava/lfb_half/lfb_train.pkl', weights_only=True)

    assert {second for video in bank.values() for second in video} == {902, 903}
