"""The attackers of a sweep: views, people of their own, judges; nothing is trained."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny import tiny_config, tiny_discriminator, write_tiny_ava, write_tiny_faces

from mmanon.registry import MODELS
from mmanon.tradeoff.measuring.remembered import RememberedModifier
from mmanon.tradeoff.sweep import (
    StageFailed,
    Stages,
    check_sweep,
    list_attacks,
    read_plan,
)

BASES = Path(__file__).parents[2] / 'configs/_base_/attackers'
WEIGHTS = dict(type='Pretrained', checkpoint='work_dirs/known.pth')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root, clips=1)
    for group in ('people', 'practice', 'practice_val', 'test'):
        write_tiny_faces(root / group)
        for folder in list((root / group).iterdir()):
            folder.rename(folder.with_name(f'{group}_{folder.name}'))
    return root


@pytest.fixture
def config(data, tmp_path):
    recognizer = {**tiny_discriminator(num_classes=2), 'margin': 0.0}
    adaptive = dict(
        type='mmanon.AdaptiveRecognizer',
        modifier=dict(type='mmanon.IdentityModifier'),
        recognizer=recognizer,
    )
    restorer = dict(
        type='mmanon.RestoringRecognizer',
        modifier=dict(type='mmanon.IdentityModifier'),
        restorer=dict(type='mmanon.NAFNetRestorer', base_channels=2),
        recognizer=adaptive,
    )
    for name, model in (('adaptive', adaptive), ('restorer', restorer)):
        attacker = Config.fromfile(BASES / 'validated.py')
        attacker.model = model
        attacker.train_dataloader.dataset.augmentation = dict(
            type='mmanon.FaceAugmentation'
        )
        attacker.dump(tmp_path / f'{name}.py')

    def faces(group, **more):
        kind, root = 'mmanon.FaceIdentityDataset', str(data / group)
        return dict(type=kind, data_root=root, image_margin=0.8, **more)

    config = tiny_config(data, tmp_path / 'out')
    config.tradeoff = dict(
        methods=dict(
            blur=dict(hook=dict(modifier=dict(type='mmanon.GaussianBlurModifier')))
        ),
        people=faces('test'),
        attacker_faces=faces('practice'),
        attacker_val_faces=faces('practice_val'),
        head_margin=0.6,
        attackers=dict(
            pixels=dict(
                recognizer=dict(type='mmanon.MarginPixelRecognizer'),
                views=['crop', 'head'],
            ),
            known=dict(train_once=str(tmp_path / 'adaptive.py')),
            other=dict(train_once=str(tmp_path / 'adaptive.py'), views=['crop']),
            adaptive=dict(
                train=str(tmp_path / 'adaptive.py'),
                views=['face', 'crop', 'head'],
                options={'train_cfg.max_iters': 7},
            ),
            restorer=dict(
                train=str(tmp_path / 'restorer.py'),
                recognizer=['known', 'other'],
                views=['face', 'crop'],
            ),
        ),
    )
    return config


def stages_of(config):
    plan = read_plan(config)
    stages = Stages(plan)
    every = [*stages.shared(), *stages.of(plan.runs[0])]
    return plan, {stage.name: stage for stage in every}


def test_every_attacker_is_measured_in_every_view_by_every_judge(config):
    plan, stages = stages_of(config)
    assert [attack.name for attack in list_attacks(plan.attackers)] == [
        # Judges come first.
        *('known', 'other-crop', 'pixels-crop', 'pixels-head'),
        *('adaptive', 'adaptive-crop', 'adaptive-head'),
        # Each judge looks in the views that it knows.
        *('restorer+known', 'restorer+other-crop'),
    ]
    # Who practises does so in each view; one restorer is enough for all judges.
    assert list(stages) == [
        *('known', 'other-crop', 'train'),
        *('adaptive', 'adaptive-crop', 'adaptive-head', 'restorer', 'test'),
    ]
    metrics = {
        (one['prefix'], one['type']): one
        for one in stages['test'].config.test_evaluator
        if 'prefix' in one
    }
    assert len(metrics) == 2 * 9
    shown = {
        name: (one.get('view'), one.get('head_margin'))
        for (name, _), one in metrics.items()
    }
    assert shown['known'] == (None, None)
    assert shown['adaptive-crop'] == ('crop', None)
    assert shown['pixels-head'] == ('head', 0.6)


def test_attackers_practise_on_people_of_their_own_in_the_images_of_their_view(config):
    plan, stages = stages_of(config)
    for name, margin, size in (
        ('adaptive', 0.3, 32),
        ('adaptive-crop', 0.3, 32),
        ('adaptive-head', 0.6, 44),
        ('restorer', 0.3, 32),
        ('known', 0.3, 32),
    ):
        one = stages[name].config
        practice, seen = one.train_dataloader.dataset, one.val_dataloader.dataset
        assert practice.data_root.endswith('/practice')
        assert seen.data_root.endswith('/practice_val') and seen.test_mode
        assert practice.augmentation.type == 'mmanon.FaceAugmentation'
        assert 'augmentation' not in seen
        assert (practice.crop_size, seen.crop_size) == (size, size)
        assert practice.margin == pytest.approx(margin)
        assert one.model.margin == 0.3
    head = stages['adaptive-head'].config.model.view
    assert head == dict(name='head', crop_size=32, head_margin=0.6, feather=0.1)
    assert stages['adaptive-crop'].config.model.view == dict(name='crop')
    # Three people each, and the options of its config.
    assert stages['adaptive'].config.model.recognizer.head.num_classes == 3
    assert stages['adaptive'].config.train_cfg.max_iters == 7
    assert plan.attacker_faces['data_root'].endswith('/practice')


def test_who_remembers_draws_each_picture_once(config):
    config.tradeoff.attackers.adaptive.remember = True
    with pytest.raises(ValueError, match='adaptive.remember: .* with `versions`'):
        stages_of(config)
    config.tradeoff.attacker_faces.augmentation = dict(
        type='mmanon.FaceAugmentation', versions=2
    )
    _, stages = stages_of(config)
    one = stages['adaptive-crop'].config
    inner = one.model.modifier.modifier
    assert one.model.modifier.type == 'mmanon.RememberedModifier'
    assert inner.type == 'mmanon.GaussianBlurModifier'
    assert one.model.modifier.margin == 0.3
    assert stages['restorer'].config.model.modifier.type == inner.type
    for name in ('adaptive-crop', 'test'):
        named = stages[name].config.custom_imports.imports
        assert 'mmanon.tradeoff.measuring.remembered' in named
    drawing = RememberedModifier(dict(inner), margin=one.model.modifier.margin)
    face = torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32)
    drawn = drawing(face.repeat(2, 1, 1, 1))
    assert torch.allclose(drawn[0], MODELS.build(inner)(face)[0], atol=0.02)
    assert len(drawing.memory.drawn) == 1


def test_a_judge_looks_at_what_was_restored_with_its_own_weights(config):
    plan, stages = stages_of(config)
    judged = {
        one['prefix']: one['recognizer']
        for one in stages['test'].config.test_evaluator
        if 'restorer+' in str(one.get('prefix'))
    }
    weights = stages['restorer'].result
    for name, folder in (('known', 'known'), ('other-crop', 'other-crop')):
        model = judged[f'restorer+{name}']
        assert 'init_cfg' not in model
        assert model.get('view') == (dict(name='crop') if 'crop' in name else None)
        assert model['restorer']['init_cfg'] == dict(
            type='Pretrained', checkpoint=str(weights), prefix='restorer.'
        )
        checkpoint = model['recognizer']['init_cfg']['checkpoint']
        assert checkpoint == str(plan.work_dir / 'shared' / f'{folder}.pth')
    assert weights in stages['test'].built_on


def test_without_people_to_stop_by_attackers_train_to_the_end(config):
    config.tradeoff.pop('attacker_val_faces')
    config.tradeoff.pop('attacker_faces')
    config.tradeoff.attackers.pop('pixels')
    config.tradeoff.attackers.adaptive.views = ['face']
    _, stages = stages_of(config)
    one = stages['adaptive'].config
    assert one.train_dataloader.dataset.data_root.endswith('/people')
    assert (one.val_dataloader, one.val_evaluator, one.val_cfg) == (None, None, None)
    assert one.custom_hooks == [] and one.param_scheduler == []
    assert 'save_best' not in one.default_hooks.checkpoint


def test_a_sweep_of_all_of_them_passes_its_checks(config):
    check_sweep(read_plan(config))


@pytest.mark.parametrize(
    'changes, said',
    [
        ({'attacker_faces': 'test'}, 'people and in tradeoff.attacker_faces'),
        ({'attacker_faces': 'people'}, "the hook's faces and in tradeoff.attacker_f"),
        ({'attacker_val_faces': 'practice'}, 'attacker_faces and in tradeoff.attacker'),
    ],
)
def test_nobody_is_in_two_groups(config, data, changes, said):
    for key, group in changes.items():
        config.tradeoff[key].data_root = str(data / group)
        config.tradeoff[key].crop_size = 32  # not the hook's very data set
    with pytest.raises(ValueError, match=f'^3 people are in .*{said}'):
        check_sweep(read_plan(config))


@pytest.mark.parametrize(
    'attacker, said',
    [
        (dict(train='x', views=['hair']), r"views must be some of .* got \['hair'\]"),
        (
            dict(recognizer='discriminator', views=['crop']),
            'D of the game has the view',
        ),
        (dict(recognizer=['known']), r"recognizer is the list \['known'\]"),
        (
            dict(train='x', recognizer=['known', 'adaptive']),
            "recognizer is 'adaptive', which differs between runs",
        ),
        (
            dict(train='x', recognizer=['other'], views=['face']),
            r"'other' is not trained in any of the views \['face'\]",
        ),
    ],
)
def test_attackers_that_cannot_be_are_refused(config, attacker, said):
    config.tradeoff.attackers.wrong = attacker
    with pytest.raises(ValueError, match=said):
        read_plan(config)


def test_heads_need_images_of_heads(config):
    config.tradeoff.attacker_val_faces.pop('image_margin')
    with pytest.raises(ValueError, match="attacker_val_faces: the view 'head' of the"):
        check_sweep(read_plan(config))
    config.tradeoff.attackers.adaptive.views = ['face']
    check_sweep(read_plan(config))
    config.tradeoff.people.pop('image_margin')
    with pytest.raises(ValueError, match="people: the view 'head' of the attacker 'p"):
        check_sweep(read_plan(config))


def test_attributes_are_of_people_new_to_the_modifier(config, data, tmp_path):
    labels = tmp_path / 'labels.csv'
    labels.write_text('person,tone\npractice_person0,warm\n')
    people = dict(type='mmanon.FaceIdentityDataset', data_root=str(data / 'practice'))
    config.tradeoff.attributes = dict(dataset=people, labels=str(labels))
    _, stages = stages_of(config)
    told = stages['test'].config.test_evaluator[-1]
    assert told.type == 'mmanon.FaceAttributeMetric' and told.labels == str(labels)
    check_sweep(read_plan(config))

    config.tradeoff.attributes.dataset.data_root = str(data / 'people')
    with pytest.raises(ValueError, match='3 people are in tradeoff.attributes and in'):
        check_sweep(read_plan(config))


# Which weights a validated training leaves.


def test_the_best_weights_are_taken_and_none_of_a_killed_start(config):
    _, stages = stages_of(config)
    stage = stages['adaptive']
    work_dir = stage.folder / stage.name

    def killed(arguments, log):
        work_dir.mkdir()
        (work_dir / 'best_attack_auc_iter_250.pth').write_text('of the first try')
        raise StageFailed('killed')

    with pytest.raises(StageFailed):
        stage.run(killed)

    def stopped_early(arguments, log):
        assert '--resume' not in arguments
        assert not list(work_dir.glob('*.pth'))
        (work_dir / 'best_attack_auc_iter_50.pth').write_text('best')
        (work_dir / 'iter_200.pth').write_text('last')
        (work_dir / 'last_checkpoint').write_text('iter_200.pth')

    stage.run(stopped_early)
    assert stage.result.read_text() == 'best' and stage.is_done
    assert json.loads((stage.folder / 'adaptive.json').read_text())
