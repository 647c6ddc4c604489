import inspect
import subprocess
import sys
from copy import deepcopy

import pytest
from mmengine.config import Config
from tiny import tiny_discriminator, tiny_modifier

from mmanon.engine.game.config_check import (
    _ARGUMENTS,
    _registered,
    check_arguments,
    check_hook_config,
)
from mmanon.registry import HOOKS, MODELS

TYPE = 'mmanon.AdversarialAnonymizationHook'


def people(root, count=2):
    for index in range(count):
        (root / f'person{index}').mkdir(parents=True)
    return root


@pytest.fixture
def hook(tmp_path):
    faces = dict(
        batch_size=6,
        dataset=dict(
            type='mmanon.FaceIdentityDataset', data_root=str(people(tmp_path / 'faces'))
        ),
    )
    return dict(
        type=TYPE,
        modifier=tiny_modifier(),
        discriminator=tiny_discriminator(num_classes=None),
        faces=faces,
        val_faces=deepcopy(faces),
        crop_size=32,
        margin=0.3,
    )


def config(*hooks, **settings):
    return Config(dict(default_scope='mmaction', custom_hooks=list(hooks), **settings))


def test_a_right_config_and_one_without_a_game_pass(hook):
    check_hook_config(config(dict(type='mmanon.FacePictureHook'), hook), training=True)
    check_hook_config(config())
    check_hook_config(Config(dict()))


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(modifer=dict()), 'unknown key `modifer`: did you mean `modifier`'),
        (dict(CROP_SIZE=5), 'unknown key `CROP_SIZE`: did you mean `crop_size`'),
        ({'faces.batchsize': 3}, '`faces.batchsize`: did you mean `batch_size`'),
        (dict(phases=dict(warmup=3)), '`phases.warmup`: did you mean `warm_up`'),
        (
            dict(optim_wrapper=dict(detector=dict())),
            "`optim_wrapper.detector`.*the detector's is in the detector's own config",
        ),
        (dict(face_table=dict(training='x')), 'did you mean `train`'),
        (dict(crop_size='64'), "crop_size must be a number, got the text '64': leave"),
        (dict(crop_size=0), 'crop_size must be a whole number of pixels.*got 0'),
        (dict(crop_size=1.5), 'crop_size must be a whole number of pixels.*got 1.5'),
        (dict(margin='0.3'), "margin must be a number, got the text '0.3'"),
        (dict(feather=0.4), 'feather=0.4 with margin=0.3 would let part of a face'),
        (dict(discriminator_steps=0), 'discriminator_steps .*at least 1, got 0'),
        (dict(phases=dict(warm_up=-1)), 'phases.warm_up must be .* got -1'),
        (
            dict(phases=5),
            'phases must be a dict of warm_up, fine_tune, restart, catch_up, got 5',
        ),
        ({'faces.batch_size': 0}, 'faces.batch_size must be .* at least 1, got 0'),
        ({'faces.dataset': None}, 'faces has no `dataset`'),
        (
            {'modifier.type': 'mmanon.ResnetModifer'},
            "modifier.type is 'mmanon.ResnetModifer', .*mean `mmanon.ResNetModifier`",
        ),
        (
            {'discriminator.backbone.type': 'mmanon.SphereFace'},
            'discriminator.backbone.type .* did you mean `mmanon.SphereFaceNet`',
        ),
        (
            {'faces.dataset.type': 'mmanon.FaceIdentitiesDataset'},
            'did you mean `mmanon.FaceIdentityDataset`',
        ),
        (
            {'modifier.type': 'ResNetModifier'},
            "which is mmanon's: write 'mmanon.ResNetModifier'",
        ),
        (
            {'modifier.base_chanels': 4},
            'unknown key `modifier.base_chanels` of a ResNetModifier: did you mean '
            '`base_channels`',
        ),
        (
            {'discriminator.backbone.deep': 4},
            '`discriminator.backbone.deep` of a SphereFaceNet: did you mean `depth`',
        ),
        (
            {'faces.dataset.min_image': 4},
            '`faces.dataset.min_image` of a FaceIdentityDataset: .* `min_images`',
        ),
        ({'modifier': None}, 'the hook has no `modifier`'),
        ({'discriminator.head': None}, 'give it a `head`'),
        ({'faces': None, 'val_faces': None}, 'learns from face batches'),
    ],
)
def test_what_is_wrong_is_named_with_what_was_meant(hook, changes, message):
    wrong = config(hook)
    for key, value in changes.items():
        *parents, last = key.split('.')
        place = wrong.custom_hooks[0]
        for name in parents:
            place = place[name]
        place[last] = value

    with pytest.raises(ValueError, match=rf'custom_hooks\[0\] .*{message}'):
        check_hook_config(wrong)
    # The hook itself refuses it too, for whoever does not check first.
    if 'ResNetModifier' not in changes.values():
        with pytest.raises(ValueError, match=message):
            HOOKS.build(wrong.custom_hooks[0])


def test_one_person_is_refused_by_name(hook, tmp_path):
    hook['faces']['dataset']['data_root'] = str(people(tmp_path / 'one', 1))

    with pytest.raises(ValueError, match="faces has only one person, 'person0'"):
        check_hook_config(config(hook))


def test_one_identity_of_many_people_is_refused(hook):
    hook['val_faces']['dataset']['identities'] = ['person1']

    with pytest.raises(ValueError, match="val_faces has only one person, 'person1'"):
        check_hook_config(config(hook))


def test_one_person_in_each_of_two_folders_are_two(hook, tmp_path):
    folders = [str(people(tmp_path / name, 1)) for name in 'ab']
    hook['faces']['dataset']['data_root'] = folders
    check_hook_config(config(hook), training=True)

    hook['faces']['dataset']['data_root'] = [folders[0], 'nowhere']
    with pytest.raises(FileNotFoundError, match='is nowhere, which is not a folder'):
        check_hook_config(config(dict(hook, faces=dict(hook['faces']))), training=True)


def test_missing_faces_are_named_where_they_are_needed(hook):
    hook['faces']['dataset']['data_root'] = 'nowhere'

    check_hook_config(config(hook))
    with pytest.raises(FileNotFoundError, match='faces.dataset.data_root is nowhere'):
        check_hook_config(config(hook), training=True)


def test_two_games_are_refused(hook):
    with pytest.raises(
        ValueError, match=r'custom_hooks\[0\] and custom_hooks\[2\] are both'
    ):
        check_hook_config(config(hook, dict(type='mmanon.FacePictureHook'), hook))


def test_the_arguments_are_the_hooks():
    signature = inspect.signature(HOOKS.get(TYPE).__init__).parameters
    names = [name for name, one in signature.items() if one.kind is not one.VAR_KEYWORD]

    assert tuple(names[1:]) == _ARGUMENTS


def test_a_type_that_a_user_has_registered_is_known(hook):
    @MODELS.register_module(force=True)
    class OwnModifier:
        pass

    try:
        hook['modifier']['type'] = 'mmanon.OwnModifier'
        check_hook_config(config(hook))
        assert 'OwnModifier' in _registered('MODELS')
    finally:
        MODELS.module_dict.pop('OwnModifier')
    with pytest.raises(ValueError, match='nothing of that name'):
        check_hook_config(config(hook))


def test_types_of_other_scopes_are_left_to_their_registries(hook):
    hook['structure_loss'] = dict(type='mmdet.L1Lozz')
    hook['modifier']['type'] = 'my_package.Modifier'

    check_hook_config(config(hook))


def test_without_a_scope_mmanons_own_registries_are_meant(hook):
    hook['modifier']['type'] = 'ResNetModifier'

    check_arguments({key: hook[key] for key in hook if key != 'type'})


def test_neither_models_nor_detectors_are_imported():
    code = (
        'import sys; import mmanon.engine.game.config_check; print(sorted(sys.modules))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )

    loaded = done.stdout.splitlines()[-1]
    assert "'mmanon.utils.near_names'" in loaded
    heavy = ('mmcv.ops', 'mmdet', 'mmaction', 'mmanon.models', 'mmanon.engine.hooks')
    assert not [one for one in heavy if f"'{one}'" in loaded]
