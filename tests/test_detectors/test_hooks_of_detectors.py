"""RTMDet's own hooks beside ours: an average of the weights, and a second pipeline."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from mmanon.models.weight_files import load_weights
from mmanon.registry import HOOKS
from mmanon.testing.made_up_data import write_made_up_data, write_made_up_people
from mmanon.testing.shrink import shrink, shrink_widths

CONFIG = (
    Path(__file__).parents[2]
    / 'configs/rtmdet/rtmdet-tiny_resnet9-sphereface20_coco.py'
)
EPOCHS, SWITCH = 9, 8


@HOOKS.register_module(force=True)
class NoteFaces(Hook):
    """Writes down how many faces the images of each iteration show."""

    def __init__(self):
        self.counts, self.pipelines = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        samples = data_batch['data_samples']
        self.counts.append(sum(len(one.metainfo['faces']) for one in samples))
        steps = runner.train_dataloader.dataset.pipeline.transforms
        self.pipelines.append([type(step).__name__ for step in steps])


@pytest.fixture
def config(tmp_path, monkeypatch):
    """RTMDet as it stands, narrower, on two made-up images for five epochs."""
    config = Config.fromfile(CONFIG)
    shrink(config)
    config.load_from = None
    config.train_cfg = dict(
        type='EpochBasedTrainLoop', max_epochs=EPOCHS, val_interval=EPOCHS
    )
    config.param_scheduler = []
    config.default_hooks.checkpoint.interval = EPOCHS
    config.work_dir = str(tmp_path / 'work')
    config.experiment_name = f'{tmp_path.parent.name}_{tmp_path.name}'
    config.log_level = 'WARNING'
    average, switch, game, _ = config.custom_hooks
    average.update(ema_type='ExponentialMovingAverage', momentum=0.1)
    switch.switch_epoch = SWITCH
    for network in ('modifier', 'discriminator'):
        shrink_widths(game[network])
    faces = dict(
        batch_size=4,
        dataset=dict(type='mmanon.FaceIdentityDataset', data_root='people'),
    )
    game.update(crop_size=32, phases=None)
    game.faces, game.val_faces = faces, deepcopy(faces)
    config.custom_hooks = [average, switch, game, dict(type='mmanon.NoteFaces')]
    monkeypatch.chdir(tmp_path)
    write_made_up_data(config)
    write_made_up_people(Path('people'), 32)
    return config


def hook_of(runner, kind):
    return next(hook for hook in runner.hooks if isinstance(hook, kind))


def test_the_config_has_the_hooks_of_rtmdet_and_the_anonymizers():
    config = Config.fromfile(CONFIG)
    bases = ('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', CONFIG.parents[1])
    theirs = Config.fromstring(f'_base_ = {bases[0]!r}\n', '.py').custom_hooks
    ours = Config.fromfile(bases[1] / '_base_/anonymizers/resnet9_sphereface20.py')

    kinds = [hook.type for hook in config.custom_hooks]

    assert kinds == [hook.type for hook in [*theirs, *ours.custom_hooks]]
    assert 'Config' not in config and 'anonymizer' not in config


def test_mosaics_and_the_second_pipeline_deliver_their_faces(config):
    runner = Runner.from_cfg(config)
    runner.train()

    noted = hook_of(runner, NoteFaces)
    assert 'CachedMosaic' in noted.pipelines[0]
    # Two images of one face each, until the cache holds enough of them to be mixed.
    assert max(noted.counts[:SWITCH]) > 2
    assert 'CachedMosaic' not in noted.pipelines[SWITCH]
    assert noted.pipelines[SWITCH][-2:] == ['LoadFaces', 'PackDetInputs']
    assert 0 < noted.counts[SWITCH] <= 2


def test_the_average_of_all_networks_is_saved_and_predicts(config):
    runner = Runner.from_cfg(config)
    runner.train()

    average = hook_of(runner, EMAHook).ema_model.module.state_dict()
    saved = load_weights(Path(config.work_dir) / f'epoch_{EPOCHS}.pth')
    now = runner.model.state_dict()
    for name, value in saved.items():
        assert torch.equal(value, average[name]), name
    for network in ('detector', 'modifier', 'discriminator'):
        assert any(
            not torch.equal(now[name], value)
            for name, value in saved.items()
            if name.startswith(network) and value.is_floating_point()
        )


def test_a_second_pipeline_that_loses_faces_is_refused_at_the_start(config):
    pipeline = config.custom_hooks[1].switch_pipeline
    pipeline.insert(2, dict(type='RandomAffine'))
    runner = Runner.from_cfg(config)

    with pytest.raises(ValueError, match=r'mmdet\.RandomAffine moves pixels'):
        runner.train()
