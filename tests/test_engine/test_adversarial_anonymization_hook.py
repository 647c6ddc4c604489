import json
import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny import (
    tiny_config,
    tiny_discriminator,
    tiny_modifier,
    write_tiny_ava,
    write_tiny_faces,
)

from mmanon.models.weight_files import (
    DETECTOR,
    DISCRIMINATOR,
    MODIFIER,
    extract_part,
    load_checkpoint,
    load_weights,
)
from mmanon.registry import HOOKS, MODELS


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    return root


@pytest.fixture
def config(data, tmp_path, monkeypatch):
    # mmaction2's metric writes where it stands, and leaves that there if it fails.
    monkeypatch.chdir(tmp_path)
    return tiny_config(data, tmp_path / 'work')


def build(config, **changes):
    config = deepcopy(config)
    config.merge_from_dict(changes, allow_list_keys=True)
    # Runners of one process must not share a name, or they would share their logs.
    config.experiment_name = f'test_{build.count}'
    build.count += 1
    return Runner.from_cfg(config)


build.count = 0


def run(config, **changes):
    runner = build(config, **changes)
    runner.train()
    return runner


def plain(config, work_dir):
    """The config without the hook."""
    config = deepcopy(config)
    config.custom_hooks = []
    config.work_dir = str(work_dir)
    return config


def untrained_plain(config, tmp_path):
    """A checkpoint of the plain detector, with its first weights."""
    path = str(tmp_path / 'plain.pth')
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict(), meta={}), path)
    return path


def ready_to_test(config, checkpoint):
    """A runner that would test the first batch next."""
    runner = build(config, load_from=checkpoint)
    runner.call_hook('before_run')
    runner.load_or_resume()
    runner.call_hook('before_test_epoch')
    return runner


def latest(config):
    name = config.work_dir and open(f'{config.work_dir}/last_checkpoint').read().strip()
    return load_weights(name)


def assert_same(first, second):
    assert set(first) == set(second)
    for name in first:
        assert torch.equal(first[name], second[name]), name


@HOOKS.register_module(force=True)
class RememberWeights(Hook):
    """Keeps the weights that a training starts from, as ``runner.initial``."""

    def before_train(self, runner):
        runner.initial = deepcopy(runner.model.state_dict())


@HOOKS.register_module(force=True)
class SpoilWeights(Hook):
    """Makes a weight of the modifier infinite after the first iteration."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 0:
            next(runner.model.modifier.parameters()).data.fill_(float('inf'))


def test_a_detectors_config_trains_and_validates_through_the_hook(config):
    runner = run(config)

    lines = [
        line
        for path in Path(runner._log_dir).rglob('scalars.json')
        for line in path.read_text().splitlines()
        if 'mAP' in line
    ]
    metrics = json.loads(lines[-1])
    assert len(lines) == 2
    assert 0 <= metrics['faces/acc_original'] <= 1
    assert 0 <= metrics['faces/acc_modified'] <= 1
    assert 0 <= metrics['faces/covered'] <= 1
    assert metrics['faces/num_identities'] == 3


def test_losses_are_logged_under_clear_names(config):
    runner = run(config)

    history = runner.message_hub.log_scalars
    for name in (
        'loss',
        'loss_action_cls',
        'loss_adversarial',
        'loss_structure',
        'loss_discriminator',
        'acc_original',
        'acc_modified',
        'pixel_change',
        'detector.lr',
        'modifier.lr',
        'discriminator.lr',
    ):
        assert f'train/{name}' in history, name


def test_the_detector_keeps_its_schedule_and_the_others_have_their_own(config):
    hook = config.custom_hooks[0]
    hook.param_scheduler = dict(
        modifier=[dict(type='ConstantLR', factor=0.1, by_epoch=False, end=100)]
    )
    runner = run(config)

    rates = {name: rate[0] for name, rate in runner.optim_wrapper.get_lr().items()}
    assert rates['detector.lr'] == pytest.approx(0.005)
    assert rates['modifier.lr'] == pytest.approx(3e-5)
    assert rates['discriminator.lr'] == pytest.approx(3e-4)


class EagerIterator:
    """As mmengine has it up to 0.10.7: workers begin when the loop is built."""

    def __init__(self, dataloader):
        self.iterator = iter(dataloader)

    def __next__(self):
        return next(self.iterator)

    def skip_iter(self, count):
        for _ in range(count):
            next(self)


def iteration_based(config):
    config.train_cfg = ConfigDict(
        type='IterBasedTrainLoop', max_iters=4, val_interval=2
    )
    config.train_dataloader.sampler.type = 'InfiniteSampler'
    config.default_hooks.checkpoint.update(by_epoch=False, interval=2)
    config.param_scheduler = None


def several_discriminators():
    """Two recognizers of other widths and views."""
    wide = tiny_discriminator(num_classes=None)
    wide.update(view='crop')
    wide['backbone'].update(base_channels=6)
    members = [tiny_discriminator(num_classes=None), wide]
    return dict(type='mmanon.DiscriminatorEnsemble', members=members)


@pytest.mark.parametrize(
    'loop, workers, discriminators',
    [
        ('epochs', 0, 1),
        ('epochs', 1, 1),
        ('iterations', 0, 1),
        ('iterations', 1, 1),
        ('eager iterations', 0, 1),
        ('eager iterations', 1, 1),
        ('iterations', 0, 2),
    ],
)
def test_resuming_continues_exactly(config, loop, workers, discriminators, monkeypatch):
    config.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    if loop == 'eager iterations':
        module = 'mmengine.runner.loops._InfiniteDataloaderIterator'
        monkeypatch.setattr(module, EagerIterator)
    config.custom_hooks[0].update(
        ema=dict(type='ExponentialMovingAverage', momentum=0.1),
        phases=dict(warm_up=1, fine_tune=1),
        discriminator_steps=2,
    )
    if loop != 'epochs':
        iteration_based(config)
    if discriminators > 1:
        config.train_cfg.max_iters = 7
        config.custom_hooks[0].update(
            phases=dict(warm_up=1, fine_tune=0, restart=2, catch_up=1)
        )
        config.custom_hooks[0].discriminator = several_discriminators()
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    straight = run(config, work_dir=config.work_dir + '_straight')

    # Stop after half of it, by an error as a kill would, and go on.
    class Stop(Exception):
        pass

    class StopHook(Hook):
        priority = 'LOWEST'

        def before_train_iter(self, runner, *args, **kwargs):
            if runner.iter == 2 * discriminators:
                raise Stop

    runner = build(config)
    runner.register_hook(StopHook())
    with pytest.raises(Stop):
        runner.train()
    resumed = run(config, resume=True)

    assert resumed.iter == straight.iter == (4 if discriminators == 1 else 7)
    assert_same(straight.model.state_dict(), resumed.model.state_dict())
    for name, wrapper in straight.optim_wrapper.items():
        assert wrapper.inner_count == resumed.optim_wrapper[name].inner_count
        state = wrapper.optimizer.state_dict()['state']
        other = resumed.optim_wrapper[name].optimizer.state_dict()['state']
        for key in state:
            for kind, value in state[key].items():
                if torch.is_tensor(value):
                    assert torch.equal(value, other[key][kind]), (name, key, kind)


def test_a_discriminator_starts_anew_and_catches_up_while_the_others_rest(config):
    config.custom_hooks[0].discriminator = several_discriminators()
    config.custom_hooks[0].update(
        phases=dict(restart=2, catch_up=1),
        optim_wrapper=dict(
            discriminator=[
                dict(optimizer=dict(type='SGD', lr=0.01)),
                dict(optimizer=dict(type='Adam', lr=1e-3)),
            ]
        ),
        adversarial_loss=dict(type='mmanon.UniformTargetLoss', shrinks=[1, 2]),
    )
    config.train_cfg.max_epochs = 3
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.custom_hooks.append(dict(type='mmanon.NoteWeights'))

    runner = run(config)

    assert list(runner.optim_wrapper.keys()) == [
        'detector',
        'modifier',
        'discriminator.0',
        'discriminator.1',
    ]
    kinds = [type(runner.optim_wrapper[f'discriminator.{i}'].optimizer) for i in (0, 1)]
    assert kinds == [torch.optim.SGD, torch.optim.Adam]
    moved = runner.moved
    # Iteration 2 (counted from 0) begins with a restart of the first one, 4 of the
    # second; in both D alone learns.
    rests = [not any('modifier' in name for name in names) for names in moved]
    assert rests == [False, False, True, False, True, False]
    for names in moved:
        assert any('members.0' in name for name in names)
        assert any('members.1' in name for name in names)
        assert any('detector' in n for n in names) == any(
            'modifier' in n for n in names
        )
    # Adam's steps since the second restart, in the iterations 4 and 5.
    states = runner.optim_wrapper['discriminator.1'].optimizer.state.values()
    assert {int(state['step']) for state in states} == {2}
    assert runner.optim_wrapper['modifier'].inner_count == 4
    history = runner.message_hub.log_scalars
    for name in ('loss', 'acc_modified', 'acc_modified.0', 'loss_discriminator.1'):
        assert f'train/{name}' in history


@HOOKS.register_module(force=True)
class NoteWeights(Hook):
    """Writes down which parameters each iteration has moved, as ``runner.moved``."""

    priority = 'LOWEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.before = {
            name: parameter.detach().clone()
            for name, parameter in runner.model.named_parameters()
        }

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        moved = {
            name
            for name, parameter in runner.model.named_parameters()
            if not torch.equal(parameter, self.before[name])
        }
        runner.moved = [*getattr(runner, 'moved', []), moved]


def test_starting_anew_needs_a_discriminator_that_learns(config):
    config.custom_hooks[0].phases = dict(restart=2)
    config.custom_hooks[0].discriminator = None
    config.custom_hooks[0].modifier = dict(type='mmanon.SolidMaskModifier')

    with pytest.raises(ValueError, match='none learns here'):
        run(config)


def test_optimizers_of_another_number_than_discriminators_are_refused(config):
    config.custom_hooks[0].discriminator = several_discriminators()
    config.custom_hooks[0].update(
        optim_wrapper=dict(discriminator=[dict(optimizer=dict(type='SGD', lr=0.1))]),
    )

    with pytest.raises(
        ValueError, match='lists 1 optimizers, but 2 discriminators learn'
    ):
        run(config)


def test_resuming_continues_exactly_without_a_seed_in_the_config(config):
    config.randomness = dict(seed=None)
    config.train_cfg.max_epochs = 3
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    straight = run(config)
    middle = f'{config.work_dir}/epoch_1.pth'

    resumed = run(
        config, resume=True, load_from=middle, work_dir=config.work_dir + '_resumed'
    )

    assert resumed.seed == straight.seed
    assert_same(straight.model.state_dict(), resumed.model.state_dict())


@HOOKS.register_module(force=True)
class NotePhases(Hook):
    """Writes down the phase of each iteration, as ``runner.phases``."""

    priority = 'LOWEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        runner.phases = [*getattr(runner, 'phases', []), runner.model.phase.name]


@pytest.mark.parametrize(
    'batch_sizes, phases',
    [
        ((2, 4), (['warm_up', 'joint', 'joint', 'joint'], ['joint', 'fine_tune'])),
        ((4, 2), (['warm_up', 'joint'], ['joint', 'joint', 'joint', 'fine_tune'])),
    ],
    ids=['fewer', 'more'],
)
def test_phases_end_with_training_when_an_epoch_has_other_iterations(
    config, batch_sizes, phases
):
    """As after resuming with another number of processes: 4 clips, 4 epochs."""
    config.train_cfg.max_epochs = 4
    config.custom_hooks[0].phases = dict(warm_up=1, fine_tune=1)
    config.custom_hooks.append(dict(type='mmanon.NotePhases'))
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    before, after = batch_sizes
    first = run(config, **{'train_dataloader.batch_size': before})
    path = f'{config.work_dir}/epoch_2.pth'

    second = run(
        config, resume=True, load_from=path, **{'train_dataloader.batch_size': after}
    )

    assert first.phases[: len(phases[0])] == phases[0]
    assert second.phases == phases[1]
    adam = second.optim_wrapper['modifier']
    assert adam._max_counts == len(phases[0]) + len(phases[1])


@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_the_number_of_workers_changes_nothing(config, loop):
    if loop == 'iterations':
        iteration_based(config)
    alone = run(config)

    config.train_dataloader.update(num_workers=2, persistent_workers=True)
    helped = run(config)

    assert_same(alone.model.state_dict(), helped.model.state_dict())


def test_gradient_accumulation_steps_at_the_end_too(config):
    config.optim_wrapper.accumulative_counts = 3
    hook = config.custom_hooks[0]
    hook.discriminator_steps = 2
    adam = dict(type='Adam', lr=3e-4)
    hook.optim_wrapper = dict(discriminator=dict(optimizer=adam, accumulative_counts=3))

    runner = run(config)

    steps = {}
    for name in ('modifier', 'discriminator'):
        states = runner.optim_wrapper[name].optimizer.state_dict()['state']
        steps[name] = {int(state['step']) for state in states.values()}
    # After 3 and 4 of 4 iterations; after 3, 6 and 8 of 8 steps.
    assert steps == dict(modifier={2}, discriminator={3})
    assert runner.model.modifier.updates == 2


def test_a_runner_that_has_trained_tests_and_tests_again(config):
    runner = run(config)
    model = runner.model

    first, second = runner.test(), runner.test()

    assert runner.model is model
    assert first == pytest.approx(second, nan_ok=True)
    assert 'faces/acc_modified' in first
    assert_same(latest(config), model.state_dict())


def test_a_runner_that_has_tested_does_not_train(config):
    runner = build(config)
    runner.test()

    with pytest.raises(ValueError, match='train with a new one'):
        runner.train()


def test_what_is_covered_is_said_in_each_evaluation(config):
    runner = build(config)
    runner.test()
    assert runner.model.warned_of_cover

    class Look(Hook):
        priority = 'LOWEST'

        def before_test_epoch(self, runner):
            self.seen = runner.model.warned_of_cover

    look = Look()
    runner.register_hook(look)
    runner.test()

    assert look.seen is False


def test_processes_of_different_seeds_share_the_stream_of_faces(config, monkeypatch):
    module = 'mmanon.engine.hooks.adversarial_anonymization_hook'
    real = HOOKS.get('mmanon.AdversarialAnonymizationHook').before_train.__globals__
    monkeypatch.setattr('mmanon.engine.seeding.broadcast', lambda seed: seed.fill_(3))
    seeds = []

    def spy(*args, seed, **kwargs):
        seeds.append(seed)
        return loader(*args, seed=seed, **kwargs)

    loader = real['build_face_loader']
    monkeypatch.setattr(f'{module}.build_face_loader', spy)

    runner = run(config, randomness=dict(seed=4))

    assert seeds == [3]
    assert runner.train_dataloader.batch_sampler.sampler.seed == 3


def test_a_plain_checkpoint_loads_and_the_trained_detector_goes_back(config, tmp_path):
    bare = plain(config, tmp_path / 'plain')
    run(bare)
    weights = latest(bare)

    config.load_from = str(tmp_path / 'plain' / 'epoch_2.pth')
    config.custom_hooks[0].discriminator = None
    config.optim_wrapper.optimizer.lr = 0.0
    config.optim_wrapper.optimizer.momentum = 0.0
    runner = run(config)

    returned = extract_part(runner.model.state_dict(), DETECTOR)
    for name, value in weights.items():
        if 'running' not in name and 'num_batches' not in name:
            assert torch.equal(returned[name], value), name


def test_what_a_checkpoint_gave_to_each_network_is_in_the_log(config, tmp_path):
    config.log_level = 'INFO'
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    other = plain(config, tmp_path / 'plain')
    other.model.roi_head.bbox_head.num_classes = 3
    other.train_dataloader.dataset.update(num_classes=3, custom_classes=[1, 2])
    run(other)

    runner = run(config, load_from=str(tmp_path / 'plain' / 'epoch_2.pth'))

    (log,) = Path(runner.log_dir).glob('*.log')
    lines = log.read_text().splitlines()
    (detector,) = [one for one in lines if 'detector: ' in one and 'loaded' in one]
    assert 'WARNING' in detector
    assert 'fc_cls.weight (3, 64) in the checkpoint, (4, 64) in the model' in detector
    assert any('modifier: 0 of' in one and 'has none' in one for one in lines)


def test_a_checkpoint_of_another_architecture_is_refused(config, tmp_path):
    other = plain(config, tmp_path / 'plain')
    other.model.backbone.base_channels = 4
    other.model.roi_head.bbox_head.in_channels = 32

    with pytest.raises(ValueError, match='another architecture'):
        run(config, load_from=untrained_plain(other, tmp_path))


def test_a_plain_checkpoint_cannot_be_resumed(config, tmp_path):
    with pytest.raises(ValueError, match='holds a plain detector'):
        run(config, load_from=untrained_plain(config, tmp_path), resume=True)


def test_the_config_inside_a_checkpoint_is_not_run(config, tmp_path):
    """mmengine resumes by executing that text as Python, whoever wrote it."""
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.train_cfg.max_epochs = 1
    run(config)
    path = tmp_path / 'evil.pth'
    checkpoint = load_checkpoint(f'{config.work_dir}/epoch_1.pth')
    checkpoint['meta']['config'] = f"open({str(tmp_path / 'ran')!r}, 'w')"
    torch.save(checkpoint, path)
    config.train_cfg.max_epochs = 2
    assert run(config, resume=True, load_from=str(path)).iter == 4
    assert not (tmp_path / 'ran').exists()


def test_a_loss_that_is_not_finite_stops_and_is_never_saved(config, tmp_path):
    config.default_hooks.checkpoint.update(by_epoch=False, interval=1)
    config.custom_hooks[0].adversarial_loss = dict(
        type='mmanon.UniformTargetLoss', loss_weight=float('nan')
    )

    with pytest.raises(FloatingPointError, match='loss_adversarial.* not finite'):
        run(config)

    assert not list((tmp_path / 'work').glob('*.pth'))


def test_weights_that_are_not_finite_are_never_saved(config, tmp_path):
    config.train_cfg.max_epochs = 1
    config.train_dataloader.batch_size = 4
    config.custom_hooks.append(dict(type='mmanon.SpoilWeights', priority='NORMAL'))

    with pytest.raises(FloatingPointError, match='modifier.* is not finite'):
        run(config)

    assert not list((tmp_path / 'work').glob('*.pth'))


def test_a_class_count_that_differs_from_the_faces_is_refused(config):
    config.custom_hooks[0].discriminator.head.num_classes = 5

    with pytest.raises(ValueError, match='num_classes=5, but .* holds 3 identities'):
        run(config)


def test_validation_faces_of_other_people_are_refused(config, tmp_path):
    write_tiny_faces(tmp_path / 'others', identities=4)
    config.custom_hooks[0].val_faces.dataset.data_root = str(tmp_path / 'others')

    with pytest.raises(ValueError, match="in one of them: \\['person3'\\]"):
        run(config)


def test_a_checkpoint_of_other_people_is_not_tested_on(config, data, tmp_path):
    run(config)
    people = tmp_path / 'people'
    shutil.copytree(data / 'people', people)
    (people / 'person1').rename(people / 'stranger')
    config.custom_hooks[0].val_faces.dataset.data_root = str(people)
    runner = build(config, load_from=str(tmp_path / 'work' / 'epoch_2.pth'))

    with pytest.raises(ValueError, match=r"\['person1', 'stranger'\]"):
        runner.test()


def test_a_training_starts_from_a_discriminator_of_other_people(config, tmp_path):
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.train_cfg.max_epochs = 1
    config.custom_hooks[0].val_faces = None
    run(config)
    before = load_weights(tmp_path / 'work' / 'epoch_1.pth')
    write_tiny_faces(tmp_path / 'others', identities=5)
    config.custom_hooks[0].faces.dataset.data_root = str(tmp_path / 'others')
    config.custom_hooks.append(dict(type='mmanon.RememberWeights'))

    runner = run(config, load_from=str(tmp_path / 'work' / 'epoch_1.pth'))

    backbone = [name for name in before if 'discriminator.backbone' in name]
    assert backbone
    assert_same(
        {name: before[name] for name in backbone},
        {name: runner.initial[name] for name in backbone},
    )
    assert runner.model.discriminator.num_classes == 5


def test_two_games_around_one_detector_are_refused_at_the_start(config):
    config.custom_hooks.append(config.custom_hooks[0])

    with pytest.raises(ValueError, match='2 of `custom_hooks` are an Adversarial'):
        build(config).test()


def test_each_networks_clipped_gradients_are_logged_by_its_name(config):
    config.train_cfg.max_epochs = 1
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    clipped = dict(optimizer=dict(type='Adam', lr=3e-4), clip_grad=dict(max_norm=1.0))
    config.optim_wrapper.clip_grad = dict(max_norm=1.0)
    config.custom_hooks[0].optim_wrapper = dict(
        modifier=clipped, discriminator=deepcopy(clipped)
    )

    runner = run(config)

    history = runner.message_hub.log_scalars
    for name in ('detector', 'modifier', 'discriminator'):
        assert f'train/{name}.grad_norm' in history
    assert 'train/grad_norm' not in history


def test_training_without_faces_is_refused(config):
    config.custom_hooks[0].faces = None

    with pytest.raises(ValueError, match='val_faces are only for validation'):
        run(config)


def test_a_face_table_of_other_videos_is_refused(config, tmp_path):
    write_tiny_ava(tmp_path / 'more', clips=6)
    config.train_dataloader.dataset.ann_file = str(
        tmp_path / 'more' / 'annotations' / 'clips.csv'
    )

    with pytest.raises(Exception, match='clip4'):
        run(config)


def test_a_hand_crafted_modifier_trains_the_detector_alike(config, tmp_path):
    config.custom_hooks[0].modifier = dict(type='mmanon.DownsampleModifier', size=8)

    runner = run(config)

    assert set(runner.optim_wrapper.keys()) == {'detector', 'discriminator'}
    assert 'train/acc_modified' in runner.message_hub.log_scalars
    checkpoint = str(tmp_path / 'work' / 'epoch_2.pth')
    tester = build(config, load_from=checkpoint)
    metrics = tester.test()
    assert_same(tester.model.state_dict(), load_weights(checkpoint))
    assert metrics['faces/covered'] == 0
    resumed = run(config, resume=True, train_cfg=dict(max_epochs=3))
    assert resumed.iter == 6


def test_an_untrained_modifier_covers_in_testing(config, tmp_path):
    runner = build(config, load_from=untrained_plain(config, tmp_path))

    metrics = runner.test()

    assert metrics['faces/covered'] == 1
    # The checkpoint holds no discriminator: a random one would name nobody.
    assert 'faces/acc_original' not in metrics
    assert 'faces/acc_modified' not in metrics
    faces = torch.rand(2, 3, 32, 32)
    assert not runner.model.redraw_faces(faces).any()


def test_weights_that_the_config_names_are_loaded_for_testing(config, tmp_path):
    hook = config.custom_hooks[0]
    named = MODELS.build(hook.modifier)
    named.record_update()
    recognizer = MODELS.build(hook.discriminator.backbone)
    for name, network in dict(modifier=named, recognizer=recognizer).items():
        torch.save(network.state_dict(), tmp_path / f'{name}.pth')
    weights = dict(type='Pretrained', checkpoint=str(tmp_path / 'modifier.pth'))
    hook.modifier.init_cfg = weights
    hook.discriminator.backbone.init_cfg = dict(
        weights, checkpoint=str(tmp_path / 'recognizer.pth')
    )
    hook.ema = dict(type='ExponentialMovingAverage')
    config.log_level = 'INFO'

    runner = ready_to_test(config, untrained_plain(config, tmp_path))

    model = runner.model
    assert not model.deployed_modifier.is_untrained
    assert_same(model.modifier.state_dict(), named.state_dict())
    assert_same(model.modifier_ema.module.state_dict(), named.state_dict())
    assert_same(model.discriminator.backbone.state_dict(), recognizer.state_dict())
    (log,) = Path(runner.log_dir).glob('*.log')
    assert f'weights loaded from {weights["checkpoint"]}' in log.read_text()

    # What a checkpoint holds wins, and the files need not be there any more.
    model.modifier.record_update()
    held = dict(state_dict=model.state_dict(), meta={})
    torch.save(held, tmp_path / 'held.pth')
    for path in ('modifier.pth', 'recognizer.pth'):
        (tmp_path / path).unlink()
    tester = ready_to_test(config, str(tmp_path / 'held.pth'))
    assert tester.model.modifier.updates == 2


def test_a_plain_checkpoints_random_discriminator_is_no_recognizer(config, tmp_path):
    config.test_evaluator = [
        config.test_evaluator,
        dict(
            type='mmanon.FaceIdentificationMetric',
            dataset=config.custom_hooks[0].val_faces.dataset,
            recognizer='discriminator',
            ranks=[1],
        ),
    ]
    runner = build(config, load_from=untrained_plain(config, tmp_path))

    with pytest.raises(ValueError, match='the checkpoint has none: one with random'):
        runner.test()


def test_mixed_precision_and_clipping_train_all_networks(config, monkeypatch):
    # mmengine asks for a GPU; bfloat16 works on the CPU as well.
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
    config.train_cfg.max_epochs = 1
    config.optim_wrapper.update(
        type='AmpOptimWrapper',
        dtype='bfloat16',
        loss_scale=dict(enabled=False),
        clip_grad=dict(max_norm=1.0),
    )
    config.custom_hooks.append(dict(type='mmanon.RememberWeights'))
    hook = config.custom_hooks[0]
    hook.optim_wrapper = dict(
        modifier=dict(
            optimizer=dict(type='Adam', lr=3e-4), clip_grad=dict(max_norm=1.0)
        )
    )
    # mmcv's RoIAlign has no bfloat16 on the CPU.
    align = RoIAlign.forward
    monkeypatch.setattr(
        RoIAlign, 'forward', lambda self, x, rois: align(self, x.float(), rois.float())
    )
    seen = []
    original = torch.nn.functional.conv2d

    def spy(*args, **kwargs):
        out = original(*args, **kwargs)
        seen.append(out.dtype)
        return out

    monkeypatch.setattr(torch.nn.functional, 'conv2d', spy)
    # oneDNN's bfloat16 Conv3d sometimes gives a gradient that is not a number.
    with torch.backends.mkldnn.flags(enabled=False):
        runner = run(config)

    assert torch.bfloat16 in seen
    for network in (DETECTOR, MODIFIER, DISCRIMINATOR):
        before = extract_part(runner.initial, network)
        after = extract_part(runner.model.state_dict(), network)
        moved = [name for name in before if not torch.equal(before[name], after[name])]
        assert [name for name in moved if name.endswith('weight')], network
    assert type(runner.optim_wrapper['modifier']).__name__ == 'FollowingAmpOptimWrapper'
    scaler = runner.optim_wrapper['modifier'].loss_scaler
    assert scaler is runner.optim_wrapper['detector'].loss_scaler


def test_a_learned_modifier_without_a_discriminator_stays_as_it_is(config):
    config.custom_hooks[0].discriminator = None

    runner = run(config)

    assert set(runner.optim_wrapper.keys()) == {'detector'}
    assert runner.model.modifier.is_untrained


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(faces=None, val_faces=None), 'learns from face batches'),
        (dict(discriminator_steps=0), 'at least 1, got 0'),
        (dict(optim_wrapper=dict(detector=dict())), "is in the detector's own config"),
    ],
)
def test_contradicting_arguments_are_refused(wrong, message):
    cfg = dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=tiny_modifier(),
        discriminator=dict(type='mmanon.FaceClassifier'),
        faces=dict(dataset=dict()),
    )
    with pytest.raises(ValueError, match=message):
        HOOKS.build({**cfg, **wrong})


def test_the_modifiers_precision_cannot_be_set_apart(config):
    config.custom_hooks[0].optim_wrapper = dict(
        modifier=dict(type='AmpOptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
    )

    with pytest.raises(ValueError, match='optim_wrapper.modifier.type cannot be set'):
        run(config)
