"""The sweep of ``tools/tradeoff.py``: planned, checked, run, stopped, gone on with."""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny import tiny_config, tiny_discriminator, write_tiny_ava, write_tiny_faces

from mmanon.tradeoff import read_rows
from mmanon.tradeoff.sweep import (
    Commands,
    StageFailed,
    Stages,
    check_sweep,
    collect_rows,
    hold_work_dir,
    read_plan,
    running,
    workers,
)
from mmanon.tradeoff.sweep.inputs import fingerprint

TOOLS = Path(__file__).parents[2] / 'tools'
TRAINING = Path(__file__).parents[2] / 'configs/_base_/attackers/training.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    write_tiny_faces(root / 'test', identities=4)
    for folder in list((root / 'test').iterdir()):
        folder.rename(folder.with_name(f'stranger_{folder.name}'))
    return root


@pytest.fixture
def config(data, tmp_path):
    """A tiny sweep: two methods, four attackers, of which two are trained anew."""
    recognizer = tiny_discriminator(num_classes=2)
    trained = dict(
        type='mmanon.AdaptiveRecognizer',
        modifier=dict(type='mmanon.IdentityModifier'),
        recognizer={**recognizer, 'margin': 0.0},
    )
    restorer = dict(
        type='mmanon.RestoringRecognizer',
        modifier=dict(type='mmanon.IdentityModifier'),
        restorer=dict(type='mmanon.UNetModifier', base_channels=2, depth=1),
        recognizer=trained,
    )
    for name, model in (('recognizer', trained), ('restorer', restorer)):
        attacker = Config.fromfile(TRAINING)
        attacker.model = model
        attacker.train_cfg.max_iters = 2
        attacker.train_dataloader.batch_size = 6
        attacker.train_dataloader.sampler.batch_size = 6
        attacker.dump(tmp_path / f'{name}.py')
    config = tiny_config(data, tmp_path / 'out')
    config.train_cfg.max_epochs = 1
    detector = tiny_config(data, tmp_path / 'none')
    detector.pop('custom_hooks')
    detector.pop('work_dir')
    detector.train_cfg.max_epochs = 1
    detector.dump(tmp_path / 'plain.py')
    config.tradeoff = dict(
        methods=dict(
            raw=dict(hook=dict(modifier=dict(type='mmanon.IdentityModifier'))),
            downsample=dict(
                hook=dict(modifier=dict(type='mmanon.DownsampleModifier')),
                strength='modifier.size',
                strengths=[4, 8],
                seeds=[0, 1],
            ),
            learned=dict(),
        ),
        people=dict(type='mmanon.FaceIdentityDataset', data_root=str(data / 'test')),
        detector=str(tmp_path / 'plain.py'),
        attackers=dict(
            discriminator=dict(recognizer='discriminator'),
            restorer=dict(train=str(tmp_path / 'restorer.py'), recognizer='unseen'),
            adaptive=dict(train=str(tmp_path / 'recognizer.py')),
            unseen=dict(train_once=str(tmp_path / 'recognizer.py')),
        ),
        presets=dict(
            small=dict(
                methods=['downsample:4'],
                seeds=[5],
                attackers=['discriminator'],
                options={'train_cfg.max_epochs': 3},
            )
        ),
    )
    return config


def names(plan):
    return [str(run) for run in plan.runs]


# What is planned.


def test_all_methods_strengths_and_seeds_are_planned(config):
    plan = read_plan(config)
    assert names(plan) == [
        'raw, seed 0',
        'downsample 4, seed 0',
        'downsample 4, seed 1',
        'downsample 8, seed 0',
        'downsample 8, seed 1',
        'learned, seed 0',
    ]
    assert len({run.folder for run in plan.runs}) == 6
    modifiers = [run.setting.hook['modifier'] for run in plan.runs]
    assert modifiers[0] == dict(type='mmanon.IdentityModifier')
    assert modifiers[3] == dict(type='mmanon.DownsampleModifier', size=8)
    # The learned one is the config's own, and nothing else of the hook differs.
    assert plan.runs[-1].setting.hook == plan.hook
    for run in plan.runs:
        assert {**run.setting.hook, 'modifier': 0} == {**plan.hook, 'modifier': 0}


def test_the_command_line_chooses(config):
    plan = read_plan(config, ['learned', 'downsample:12', 'downsample:0.5'], [3, 3, 4])
    assert names(plan)[:3] == [
        'learned, seed 3',
        'learned, seed 4',
        'downsample 12, seed 3',
    ]
    sizes = [run.setting.hook['modifier'].get('size') for run in plan.runs]
    assert sizes == [None, None, 12, 12, 0.5, 0.5]


def test_a_preset_is_a_smaller_sweep_and_the_command_line_comes_last(config):
    plan = read_plan(config, preset='small')
    assert names(plan) == ['downsample 4, seed 5']
    assert list(plan.attackers) == ['discriminator']
    assert plan.config.train_cfg.max_epochs == 3
    plan = read_plan(
        config, preset='small', seeds=[1], options={'train_cfg.max_epochs': 7}
    )
    assert names(plan) == ['downsample 4, seed 1']
    assert plan.config.train_cfg.max_epochs == 7


def test_an_attacker_brings_the_one_within_it(config):
    plan = read_plan(config, attackers=['restorer'])
    assert list(plan.attackers) == ['unseen', 'restorer']


def test_a_strength_may_be_any_argument_of_the_hook(config):
    config.tradeoff.methods.learned = dict(
        strength='structure_loss.loss_weight', strengths=[1, 10]
    )
    with pytest.raises(ValueError, match="hook has no 'structure_loss'"):
        read_plan(config)
    config.custom_hooks[0].structure_loss = dict(type='mmdet.L1Loss')
    runs = read_plan(config, ['learned']).runs
    weights = [run.setting.hook['structure_loss']['loss_weight'] for run in runs]
    assert weights == [1, 10]


@pytest.mark.parametrize(
    'asked, said',
    [
        (
            dict(methods=['blurr']),
            "unknown method 'blurr'; .* raw, downsample, l",
        ),
        (dict(methods=['raw:3']), "'raw:3': raw has no strength"),
        (dict(methods=['downsample:big']), "'downsample:big': 'big' is not a number"),
        (dict(attackers=['dlib']), "unknown attacker 'dlib'; .* discriminator, rest"),
        (dict(preset='tiny'), "unknown preset 'tiny'; the config has small"),
    ],
)
def test_unknown_names_are_refused(config, asked, said):
    with pytest.raises(ValueError, match=said):
        read_plan(config, **asked)


@pytest.mark.parametrize(
    'key, value, said',
    [
        ('colour', 1, "tradeoff has the unknown key 'colour'"),
        ('methods', {}, r'tradeoff\.methods of the config is missing or empty'),
        ('methods', dict(raw=dict(size=3)), r"methods\.raw has the unknown key 'size'"),
        ('methods', dict(raw=dict(strengths=[3])), 'give both or none'),
        ('attackers', dict(a=dict()), r'attackers\.a must have one of'),
        (
            'attackers',
            dict(a=dict(train='x', recognizer='b'), b=dict(train='y')),
            r"attackers\.a\.recognizer is 'b', which differs between runs",
        ),
    ],
)
def test_wrong_settings_are_named(config, key, value, said):
    config.tradeoff[key] = value
    with pytest.raises(ValueError, match=said):
        read_plan(config)


def test_a_config_without_sweep_hook_or_faces_is_refused(config):
    del config.custom_hooks[0]['faces']
    with pytest.raises(ValueError, match='no `faces`'):
        read_plan(config)
    config.custom_hooks = []
    with pytest.raises(ValueError, match='no AdversarialAnonymizationHook'):
        read_plan(config)
    config.pop('tradeoff')
    with pytest.raises(ValueError, match='has no `tradeoff`'):
        read_plan(config)


# What is looked at before.


def broken(config, **changes):
    config.merge_from_dict(changes, allow_list_keys=True)
    return read_plan(config)


def test_a_sweep_that_can_run_passes(config):
    check_sweep(read_plan(config))


@pytest.mark.parametrize(
    'changes, said',
    [
        ({'tradeoff.detector': 'none.py'}, r'tradeoff\.detector: config none\.py does'),
        (
            {'tradeoff.attackers.unseen.train_once': 'none.py'},
            r'attackers\.unseen\.train_once: config none\.py does not exist',
        ),
        ({'tradeoff.people.data_root': 'nowhere'}, 'data_root nowhere is not a folder'),
        (
            {'tradeoff.methods.downsample.strengths': [-1]},
            'downsample -1, seed 0: size',
        ),
        (
            {'tradeoff.methods.raw.hook': dict(modifier=dict(type='mmanon.Smear'))},
            'raw, seed 0: .*Smear',
        ),
        ({'custom_hooks.0.val_faces': None}, 'needs `val_faces` of the hook'),
        ({'custom_hooks.0.face_table': 'n.parquet'}, 'face table n.parquet does not'),
        ({'test_dataloader.dataset.ann_file': 'n.csv'}, r'ann_file names n\.csv'),
        (
            {
                'tradeoff.attackers.known.recognizer': dict(
                    **tiny_discriminator(),
                    init_cfg=dict(type='Pretrained', checkpoint='no'),
                )
            },
            'checkpoint names no, which does not exist',
        ),
        (
            {
                'tradeoff.attackers.known.recognizer': dict(
                    type='mmanon.DlibRecognizer', weights='none.dat'
                )
            },
            'dlib',
        ),
    ],
)
def test_what_would_stop_a_sweep_is_found_before(config, changes, said):
    with pytest.raises((ImportError, OSError, ValueError), match=said):
        check_sweep(broken(config, **changes))


def test_people_are_not_trained_on_and_tested(config, data):
    plan = broken(config, **{'tradeoff.people.data_root': str(data / 'people')})
    with pytest.raises(
        ValueError, match='3 people are used both for training and for testing'
    ):
        check_sweep(plan)


def test_each_person_needs_two_images(config, tmp_path):
    write_tiny_faces(tmp_path / 'lonely', identities=3, images=1)
    plan = broken(config, **{'tradeoff.people.data_root': str(tmp_path / 'lonely')})
    with pytest.raises(ValueError, match='fewer images than 2'):
        check_sweep(plan)


# What is run.


def run_in_this_process(arguments, log):
    """What Commands does, without a start of Python for each."""
    tool, *rest = arguments
    run_in_this_process.count += 1
    if tool in ('train.py', 'test.py'):
        name = f'sweep_{run_in_this_process.count}'
        rest += ['--cfg-options', f'experiment_name={name}']
    argv, sys.argv = sys.argv, [tool, *rest]
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOLS / tool), run_name='__main__')
    finally:
        sys.argv = argv
    if ended.value.code:
        raise ended.value
    run_in_this_process.done.append((tool, Path(log)))


run_in_this_process.count = 0


@pytest.fixture
def tool(config, tmp_path, monkeypatch):
    """The command, called with arguments; returns what it ran."""
    config.tradeoff.people['min_images'] = 2
    config.dump(tmp_path / 'sweep.py')

    def call(*arguments):
        run_in_this_process.done = []
        names = runpy.run_path(str(TOOLS / 'tradeoff.py'))
        commands = Commands(TOOLS, 1)
        monkeypatch.setattr(Commands, '__call__', lambda _, *a: run_in_this_process(*a))
        monkeypatch.setattr(running, 'Commands', lambda *_: commands)
        monkeypatch.setattr(signal, 'signal', lambda *_: None)
        given = ['tradeoff.py', str(tmp_path / 'sweep.py'), *arguments]
        monkeypatch.setattr(sys, 'argv', given)
        names['main']()
        return [
            (name, log.parent.parent.name) for name, log in run_in_this_process.done
        ]

    return call


def test_the_sweep_trains_tests_writes_and_does_nothing_twice(tool, tmp_path):
    chosen = ['--methods', 'learned', 'downsample:4', '--seeds', '0']
    attackers = ['discriminator', 'restorer']

    ran = tool(*chosen, '--attackers', *attackers)

    out = tmp_path / 'out'
    # The plain detector and a recognizer; then for each method a detector, an attacker
    # and a test, and the learned modifier taken out.
    expected = [
        *[('train.py', out.name)] * 2,
        *[('train.py', 'learned')] * 2,
        *[('train.py', 'downsample_4')] * 2,
        ('export_checkpoint.py', 'learned'),
        ('test.py', 'learned'),
        ('test.py', 'downsample_4'),
    ]
    assert sorted(ran) == sorted(expected)
    rows = read_rows(out / 'tradeoff.json')
    kinds = {(row.method, row.strength, row.seed) for row in rows}
    assert kinds == {('learned', None, 0), ('downsample', 4, 0)}
    assert {row.attacker for row in rows} == {'discriminator', 'unseen', 'restorer'}
    assert len(rows) == 2 * 3 * 3
    for kind in ('md', 'svg', 'png'):
        assert (out / f'tradeoff.{kind}').stat().st_size > 0

    assert tool(*chosen, '--attackers', *attackers) == []

    # Another attacker is trained on each modifier; the detectors stay as they are.
    ran = tool(*chosen, '--attackers', *attackers, 'adaptive')
    methods = ('downsample_4', 'learned')
    assert sorted(ran) == [(t, m) for t in ('test.py', 'train.py') for m in methods]
    rows = read_rows(out / 'tradeoff.json')
    assert len(rows) == 2 * 4 * 3
    # The restorer's recognizer is the unseen one: on originals they agree.
    alike = {
        row.attacker: (row.eer, row.rank1)
        for row in rows
        if row.matching == 'original_original' and row.method == 'learned'
    }
    assert alike['restorer'] == alike['unseen']

    # Trainings of other settings are not mixed with these.
    with pytest.raises(SystemExit, match='max_epochs was 1 and is 2. Give another'):
        tool(*chosen, '--cfg-options', 'train_cfg.max_epochs=2')


def stage_of(config, name='train', method='raw'):
    plan = read_plan(config, [method], attackers=['discriminator'])
    stages = {stage.name: stage for stage in Stages(plan).of(plan.runs[0])}
    return stages[name]


def test_a_killed_training_goes_on_from_its_checkpoint(config):
    stage = stage_of(config)
    ran = []

    def killed(arguments, log):
        ran.append(arguments)
        work_dir = stage.folder / 'train'
        work_dir.mkdir()
        (work_dir / 'epoch_1.pth').write_text('weights')
        (work_dir / 'last_checkpoint').write_text('/moved/train/epoch_1.pth')
        raise StageFailed('killed')

    with pytest.raises(StageFailed):
        stage.run(killed)
    assert not stage.is_done and '--resume' not in ran[0]

    stage.run(lambda arguments, log: ran.append(arguments))
    assert stage.is_done and ran[1][-1] == '--resume'
    assert stage.result.read_text() == 'weights'
    stage.run(lambda *_: pytest.fail('it is done'))


def weights(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=dict(a=torch.full((3,), value))), path)


def pretend(stage, value=1.0):
    """What a command leaves behind, without its work."""

    def run(arguments, log):
        if arguments[0] == 'test.py':
            stage.result.write_text('{}')
        elif arguments[0] == 'train.py':
            work_dir = stage.folder / stage.name
            weights(work_dir / 'epoch_1.pth', value)
            (work_dir / 'last_checkpoint').write_text('epoch_1.pth')
        else:
            weights(stage.modifier, value)

    stage.run(run)


@pytest.fixture
def finished(config):
    """All stages of a learned run and those it shares with others, finished."""
    plan = read_plan(config, ['learned'])
    stages = Stages(plan)
    every = {one.name: one for one in (*stages.shared(), *stages.of(plan.runs[0]))}
    for one in every.values():
        pretend(one)
    assert all(one.is_done for one in every.values())
    return every


@pytest.mark.parametrize(
    'anew, stale',
    [
        ('detector', {'train'}),
        ('unseen', {'restorer', 'test'}),
        ('train', {'test'}),
        ('adaptive', {'test'}),
    ],
)
def test_what_was_built_on_other_weights_is_not_done(finished, anew, stale):
    stage = finished[anew]
    stage.result.unlink()
    shutil.rmtree(stage.folder / anew)
    if anew == 'train':
        stage.modifier.unlink()
    weights(stage.result, 2.0)
    if anew == 'train':
        # Whose modifier is the same, by chance or by a rate of 0.
        weights(stage.modifier, 1.0)

    assert {name for name, one in finished.items() if not one.is_done} == stale
    for name in stale - {'test'}:
        with pytest.raises(
            ValueError, match=f'was started with .*{anew}.pth, which has ch'
        ):
            finished[name].check()
        with pytest.raises(StageFailed, match='Give another --work-dir, or delete'):
            finished[name].run(lambda *_: pytest.fail('weights would be mixed'))
    if stale == {'test'}:
        pretend(finished['test'])
        assert finished['test'].is_done


def test_figures_of_what_was_built_on_other_weights_are_no_rows(finished, config):
    plan = read_plan(config, ['learned'], attackers=['discriminator'])
    matchings = ('original_original', 'modified_original', 'modified_modified')
    figures = {
        f'discriminator/{m}/{f}': 0.1 for m in matchings for f in ('eer', 'rank1')
    }
    pretend(Stages(plan).of(plan.runs[0])[-1])
    finished['test'].result.write_text(json.dumps({**figures, 'mAP/overall': 0.5}))
    assert len(collect_rows(plan)) == 3

    weights(finished['detector'].result, 2.0)

    assert collect_rows(plan) == []


def test_a_sweep_whose_shared_detector_is_gone_stops_before_it_begins(finished):
    finished['detector'].result.unlink()

    with pytest.raises(ValueError, match='detector.pth, which is gone'):
        finished['train'].check()


def test_the_same_weights_written_again_are_the_same(finished):
    for name in ('detector', 'train'):
        weights(finished[name].result, 1.0)

    assert all(one.is_done for one in finished.values())


def test_what_was_done_by_a_version_that_kept_no_record_stays_done(finished):
    for one in finished.values():
        (one.folder / f'{one.name}.built_on.json').unlink()
    weights(finished['detector'].result, 2.0)

    assert all(one.is_done for one in finished.values())


def test_files_of_weights_are_told_apart_by_what_they_hold(tmp_path):
    for name, value in (('a', 1.0), ('b', 1.0), ('c', 2.0)):
        weights(tmp_path / f'{name}.pth', value)
    (tmp_path / 'd.dat').write_bytes(b'weights')
    (tmp_path / 'e.dat').write_bytes(b'weightz')

    a, b, c, d, e, none = (
        fingerprint(tmp_path / name)
        for name in ('a.pth', 'b.pth', 'c.pth', 'd.dat', 'e.dat', 'none.pth')
    )
    assert a == b and len({a, c, d, e}) == 4 and none is None


def test_all_runs_have_the_same_budget_and_start(config):
    plan = read_plan(config)
    stages = Stages(plan)
    configs = [stages.of(run)[0].config for run in plan.runs]
    for one, run in zip(configs, plan.runs, strict=True):
        assert one.train_cfg == plan.config.train_cfg
        assert one.randomness.seed == run.seed
        assert one.load_from == str(stages.shared_folder / 'detector.pth')
        assert one.custom_hooks[0].to_dict() == run.setting.hook
        assert one.val_dataloader is None and 'tradeoff' not in one


def test_attackers_are_trained_on_ds_people_against_the_runs_modifier(config):
    plan = read_plan(config, ['learned'], seeds=[7])
    stages = Stages(plan)
    named = {stage.name: stage for stage in stages.of(plan.runs[0])}
    weights = str(plan.runs[0].folder / 'modifier.pth')
    for name in ('adaptive', 'restorer'):
        attacker = named[name].config
        assert attacker.model.modifier.init_cfg.checkpoint == weights
        assert attacker.model.margin == 0.3
        faces = attacker.train_dataloader.dataset
        assert faces.data_root == plan.hook['faces']['dataset']['data_root']
        assert (faces.crop_size, faces.margin) == (32, 0.3)
        assert attacker.randomness.seed == 7
    # As many people as there are, whatever its config says.
    assert named['adaptive'].config.model.recognizer.head.num_classes == 3
    shared = {stage.name: stage for stage in stages.shared()}
    assert shared['unseen'].config.model.modifier.type == 'mmanon.IdentityModifier'
    tested = named['test'].config.test_evaluator
    assert {one.get('prefix') for one in tested[2:]} == set(plan.attackers)


# Processes.


@pytest.fixture
def commands(tmp_path):
    (tmp_path / 'tools').mkdir()
    scripts = dict(
        say='import os, sys; print(*sys.argv[1:], os.environ["OMP_NUM_THREADS"])',
        fail='print("the reason"); raise SystemExit(3)',
        sleep='import time; time.sleep(60)',
    )
    for name, text in scripts.items():
        (tmp_path / 'tools' / f'{name}.py').write_text(text)
    return Commands(tmp_path / 'tools', 2)


def test_commands_share_the_cores_and_leave_what_they_say(
    commands, tmp_path, monkeypatch
):
    monkeypatch.setattr(workers, '_cores', lambda: 8)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    log = tmp_path / 'log'
    Commands(tmp_path / 'tools', 2)(['say.py', 'hello'], log)
    with pytest.raises(StageFailed, match=r'fail\.py failed: the reason \(see .*log'):
        commands(['fail.py'], log)
    lines = log.read_text().splitlines()
    assert lines[:3] == [
        '$ python tools/say.py hello',
        'hello 4',
        '$ python tools/fail.py',
    ]


def test_threads_that_the_user_chose_hold_for_both_libraries(
    commands, tmp_path, monkeypatch
):
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    monkeypatch.delenv('MKL_NUM_THREADS', raising=False)

    assert Commands(tmp_path / 'tools', 1).env['MKL_NUM_THREADS'] == '3'


def test_stopping_ends_what_runs(commands, tmp_path):
    failed = []

    def run():
        try:
            commands(['sleep.py'], tmp_path / 'log')
        except StageFailed as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not commands._running:
        time.sleep(0.01)
    commands.stop()
    thread.join(10)
    assert not thread.is_alive() and failed
    with pytest.raises(StageFailed, match='stopped'):
        commands(['say.py'], tmp_path / 'log')


@pytest.mark.skipif(sys.platform == 'win32', reason='no locks of files')
def test_a_work_dir_waits_for_what_is_left_of_a_killed_sweep(tmp_path):
    said = []
    with hold_work_dir(tmp_path, said.append) as keep:
        start = time.monotonic()
        script = 'import time; time.sleep(1)'
        left = subprocess.Popen([sys.executable, '-c', script], pass_fds=keep)
    assert not said
    with hold_work_dir(tmp_path, said.append):
        assert time.monotonic() - start > 0.9
    assert len(said) == 1 and 'waiting' in said[0]
    left.wait()


def test_an_unwritable_work_dir_and_wrong_names_stop_the_command_at_once(
    tool, tmp_path
):
    (tmp_path / 'file').touch()
    with pytest.raises(SystemExit, match='cannot write to the work dir .*file/out'):
        tool('--work-dir', os.path.join(tmp_path, 'file', 'out'))
    with pytest.raises(SystemExit, match=r"sweep\.py: unknown method 'blurr'"):
        tool('--methods', 'blurr')
    assert not (tmp_path / 'out' / 'runs').exists()
    with pytest.raises(SystemExit):
        tool('--workers', '0')


def test_a_failed_run_is_told_and_the_others_go_on(tool, tmp_path, monkeypatch, capsys):
    real = run_in_this_process

    def fails(arguments, log):
        if 'downsample_4' in str(log) and arguments[0] == 'train.py':
            raise StageFailed('train.py failed: out of memory')
        return real(arguments, log)

    fails.count, fails.done = 0, real.__dict__.setdefault('done', [])
    monkeypatch.setitem(globals(), 'run_in_this_process', fails)
    monkeypatch.setattr(Commands, '__call__', lambda _, *a: fails(*a))
    chosen = ['--methods', 'downsample:4', 'raw', '--attackers', 'discriminator']
    with pytest.raises(SystemExit, match='downsample 4, seed 0: .* out of memory'):
        tool(*chosen, '--seeds', '0')
    rows = read_rows(tmp_path / 'out' / 'tradeoff.json')
    assert {row.method for row in rows} == {'raw'}
    assert json.loads((tmp_path / 'out/runs/raw/seed_0/figures.json').read_text())
