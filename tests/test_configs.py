"""Every config that the project ships, read and built."""

from pathlib import Path

import mmaction
import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmanon.registry import HOOKS, MODELS
from mmanon.testing.made_up_data import write_feature_bank
from mmanon.testing.shrink import shrink

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(
    str(path.relative_to(CONFIGS))
    for path in CONFIGS.rglob('*.py')
    # What measures a modifier has no detector.
    if not {'_base_', 'measuring'} & set(path.parts)
)


def without_scope(value):
    """Mmengine notes in each dict of a foreign base which package it came from."""
    if isinstance(value, dict):
        return {k: without_scope(v) for k, v in value.items() if k != '_scope_'}
    if isinstance(value, (list, tuple)):
        return [without_scope(one) for one in value]
    return value


def is_mmaction2s(name):
    return any(data in name for data in ('_ava', '_multisports'))


@pytest.mark.parametrize('name', NAMES)
def test_a_config_builds_its_detector_and_its_hooks(name, tmp_path, monkeypatch):
    # A feature bank is looked for, or made, where paths lead to.
    monkeypatch.chdir(tmp_path)
    config = Config.fromfile(CONFIGS / name)
    init_default_scope(config.default_scope)
    shrink(config)
    write_feature_bank(config)

    MODELS.build(config.model)
    hooks = [HOOKS.build(hook) for hook in config.get('custom_hooks', [])]

    for hook in hooks:
        if hasattr(hook, 'model_cfg'):
            MODELS.build(hook.model_cfg['modifier'])
            if hook.discriminator is None:
                continue
            kind = MODELS.get(hook.discriminator['type'])
            margin = hook.model_cfg['margin']
            MODELS.build(kind.complete(hook.discriminator, margin, 5, 'made up'))


@pytest.mark.parametrize('name', [name for name in NAMES if is_mmaction2s(name)])
def test_a_detectors_config_is_mmaction2s_with_the_hook_added(name):
    """Nothing of the detector, its data or its schedule differs from its base."""
    config = Config.fromfile(CONFIGS / name)
    source = (CONFIGS / name).read_text()
    assert 'load_from' in config and config.load_from.startswith('https://')
    other_annotations = 'mmaction::' not in source
    if other_annotations:
        ours = source.split("_base_ = '")[1].split("'")[0]
        source = (CONFIGS / name).parent.joinpath(ours).read_text()
    base = source.split('mmaction::')[1].replace("'\n    '", '').split("'")[0]
    base = Config.fromfile(Path(mmaction.__path__[0]) / '.mim' / 'configs' / base)
    if other_annotations:
        text = base.dump().replace('v2.1', 'v2.2')
        base = Config.fromstring(
            text.replace('activitynet_2018', 'activitynet_2019'), '.py'
        )

    for key, value in base.items():
        if key != 'load_from':
            assert without_scope(config[key]) == without_scope(value), key
    added = set(config.keys()) - set(base.keys())
    assert added <= {'custom_hooks', 'custom_imports', 'load_from'}


def test_the_slowonly_of_own_clips_is_mmaction2s():
    base = 'detection/slowonly/slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_'
    zoo = Path(mmaction.__path__[0]) / '.mim' / 'configs'
    theirs = Config.fromfile(zoo / f'{base}ava21-rgb.py').model
    ours = Config.fromfile(CONFIGS / '_base_/models/slowonly_r50.py').model
    assert without_scope(ours) == without_scope(theirs)


@pytest.mark.parametrize('model', ['slowonly_small', 'slowonly_r50'])
def test_the_template_of_own_clips_takes_either_detector(model, tmp_path):
    text = (CONFIGS / 'templates/own_clips.py').read_text()
    assert 'models/slowonly_small.py' in text
    # Elsewhere: a copy finds what it inherits from.
    path = tmp_path / 'own.py'
    path.write_text(text.replace('slowonly_small.py', f'{model}.py'))
    config = Config.fromfile(path)
    init_default_scope(config.default_scope)
    config.model.pop('init_cfg', None)
    head = MODELS.build(config.model).roi_head.bbox_head
    assert head.fc_cls.out_features == config.num_classes


def models_of(metafile):
    with open(metafile, encoding='utf-8') as file:
        return yaml.safe_load(file)['Models']


@pytest.mark.parametrize('name', [name for name in NAMES if is_mmaction2s(name)])
def test_a_detectors_weights_are_mmaction2s_and_stand_in_the_metafile(name):
    config = Config.fromfile(CONFIGS / name)
    zoo = Path(mmaction.__path__[0]) / '.mim' / 'configs' / 'detection'
    theirs = [one for path in zoo.glob('*/metafile.yml') for one in models_of(path)]
    ours = models_of((CONFIGS / name).with_name('metafile.yml'))

    (model,) = [one for one in ours if one['Config'] == f'configs/{name}']

    assert config.load_from in {one.get('Weights') for one in theirs}
    assert model['Metadata']['Detector Weights'] == config.load_from
