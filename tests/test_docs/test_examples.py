"""What the pages on extending show, run as it stands there."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import test_my_modifier
import torch
from grey_mosaic import GreyMosaicModifier
from haar_detector import HaarFaceDetector
from mmengine.config import Config
from mmengine.runner import Runner
from patch_modifier import PatchModifier
from tiny import tiny_config, write_tiny_ava, write_tiny_faces

from mmanon.models.discriminators import MobileFaceNet
from mmanon.models.weight_files import MODIFIER, extract_part, load_weights
from mmanon.registry import MODELS

# The test that the page on modifiers shows.
test_faces_keep_shape_range_and_type = (
    test_my_modifier.test_faces_keep_shape_range_and_type
)
test_gradients_reach_faces_and_weights = (
    test_my_modifier.test_gradients_reach_faces_and_weights
)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_tiny_ava(root)
    write_tiny_faces(root / 'people')
    return root


@pytest.fixture
def config(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tiny_config(data, tmp_path / 'work')
    config.experiment_name = tmp_path.name
    config.train_cfg.max_epochs = 1
    return config


def add(config: Config, block: str) -> dict:
    """Let a block of a page change a config, as if it stood in its file."""
    names = dict(_base_=config)
    exec(block, names)
    added = {k: v for k, v in names.items() if not k.startswith('_')}
    for key, value in added.items():
        if isinstance(value, dict) and value.pop('_delete_', False):
            config[key] = value
    config.merge_from_dict({k: v for k, v in added.items() if config.get(k) != v})
    for key in ('custom_hooks', 'val_evaluator'):
        if key in added:
            config[key] = added[key]
    return added


def train(config: Config) -> Runner:
    # From a file, as its `custom_imports` are heeded there alone.
    path = Path(f'{config.experiment_name}.py').absolute()
    config.dump(path)
    runner = Runner.from_cfg(Config.fromfile(path))
    runner.train()
    return runner


def scalars(runner: Runner) -> set[str]:
    """All that a training has logged."""
    lines = (Path(runner._log_dir) / 'vis_data' / 'scalars.json').read_text()
    return {key for line in lines.splitlines() for key in json.loads(line)}


def test_the_base_of_an_installed_mmanon_trains_a_detector(config, data):
    config.pop('custom_hooks')
    config.dump('detector.py')
    people = str(data / 'people')
    Path('mine.py').write_text(
        f"""
_base_ = ['detector.py', 'mmanon::_base_/anonymizers/mini.py']
custom_hooks = [
    dict(
        _base_.custom_hooks[0],
        phases=dict(warm_up=1),
        faces=dict(_base_.custom_hooks[0].faces, dataset=dict(
            type='mmanon.FaceIdentityDataset', data_root={people!r})),
        val_faces=dict(dataset=dict(
            type='mmanon.FaceIdentityDataset', data_root={people!r})),
    )
]
"""
    )

    runner = train(Config.fromfile('mine.py'))

    assert runner.model.modifier.updates == 1
    assert 'faces/acc_modified' in scalars(runner)


def test_a_modifier_of_ones_own_trains_a_detector(config, blocks):
    add(config, blocks('extending/modifier.md')[0])

    runner = train(config)

    modifier = runner.model.modifier
    assert isinstance(modifier, GreyMosaicModifier) and modifier.blocks == 5
    assert 'acc_modified' in scalars(runner)


def test_a_modifier_of_ones_own_learns_in_the_game(config):
    config.custom_hooks[0].modifier = dict(type='mmanon.PatchModifier', channels=8)
    torch.manual_seed(0)
    before = PatchModifier(channels=8).state_dict()

    runner = train(config)

    after = extract_part(load_weights('work/epoch_1.pth'), MODIFIER)
    assert set(after) == set(before)
    assert runner.model.modifier.updates == 2 and not runner.model.modifier.is_untrained


def test_a_discriminator_of_ones_own_plays(config, blocks):
    names: dict = {}
    exec(blocks('extending/discriminator.md')[0], names)
    config.custom_imports = dict(imports=['mmanon', 'plain_recognizer'])
    config.custom_hooks[0].discriminator = names['discriminator']

    runner = train(config)

    head = runner.model.discriminator.head
    assert type(head).__name__ == 'RelativeMarginHead'
    assert (head.share, head.num_classes) == (0.3, 3)
    assert 'faces/acc_original' in scalars(runner)


def test_a_margin_of_ones_own_never_helps_the_right_person():
    from plain_recognizer import RelativeMarginHead

    cosines = torch.linspace(-1, 1, 21)
    assert (RelativeMarginHead(3, 8).penalize(cosines) <= cosines).all()


def test_an_attacker_of_ones_own_is_measured(config, data, blocks):
    config.custom_imports = dict(imports=['mmanon', 'colour_recognizer'])
    block = blocks('extending/attacker.md')[0]
    block = block.replace('data/faces/test', str(data / 'people'))
    # There are but three people.
    add(config, block.replace("prefix='colour'", "prefix='colour', ranks=(1,)"))

    assert 'colour/modified_original/rank1' in scalars(train(config))


def test_an_attacker_of_ones_own_practises_and_is_measured(
    config, data, tmp_path, docs, blocks
):
    torch.save(MobileFaceNet().state_dict(), 'mobilefacenet_ms1m.pt')
    practice = Config.fromfile(docs / 'examples' / 'linking_config.py')
    practice.merge_from_dict(
        dict(
            work_dir='work_dirs/linking_config',
            experiment_name=f'{tmp_path.name}_practice',
            train_cfg=dict(max_iters=2),
            train_dataloader=dict(
                batch_size=4,
                sampler=dict(batch_size=4),
                dataset=dict(data_root=str(data / 'people')),
            ),
            default_hooks=dict(checkpoint=dict(interval=2)),
        )
    )
    train(practice)
    Path('linking_config.py').write_text(practice.pretty_text)
    block = blocks('extending/attacker.md')[1].replace('iter_10000', 'iter_2')
    names: dict = {}
    exec(block, names)
    people = dict(type='mmanon.FaceIdentityDataset', data_root=str(data / 'people'))
    config.val_evaluator = [
        dict(
            type='mmanon.FaceIdentificationMetric',
            dataset=people,
            recognizer=names['recognizer'],
            prefix='linking',
            ranks=(1,),
        )
    ]
    # Anonymized as in the attacker's practice.
    hook = config.custom_hooks[0]
    hook.modifier = dict(type='mmanon.DownsampleModifier', size=8)
    hook.discriminator = None

    assert 'linking/modified_original/rank1' in scalars(train(config))


def test_a_detector_of_ones_own_is_wrapped(config, blocks):
    config.custom_imports = dict(imports=['mmanon', 'frame_action_net'])
    block = blocks('extending/detector.md')[0]
    add(config, block.replace('num_classes=81', 'num_classes=4'))

    runner = train(config)

    assert type(runner.model.detector).__name__ == 'FrameActionNet'
    assert {'loss_action', 'loss_adversarial', 'mAP/overall'} <= scalars(runner)


def test_an_objective_of_ones_own_is_minimized(config, blocks):
    names: dict = {}
    exec(blocks('extending/objective.md')[0], names)
    config.custom_imports = dict(imports=['mmanon', 'rank_loss'])
    config.custom_hooks[0].adversarial_loss = names['adversarial_loss']

    runner = train(config)

    assert runner.message_hub.get_scalar('train/loss_adversarial').current() >= 0


def test_a_face_detector_of_ones_own_finds_faces(blocks):
    names: dict = {}
    exec(blocks('extending/face_detector.md')[0], names)
    cfg = names['faces']['dataset']['detector']
    detector = MODELS.build(cfg)

    assert isinstance(detector, HaarFaceDetector)
    assert len(detector.detect(np.zeros((64, 64, 3), np.uint8))) == 0
    found = detector.detect(drawn_face())
    assert len(found) == 1 and 0 < found.scores[0] <= 1
    x1, y1, x2, y2 = found.boxes[0]
    assert x1 < 100 < x2 and y1 < 100 < y2
    inside = (found.landmarks[0] > (x1, y1)) & (found.landmarks[0] < (x2, y2))
    assert inside.all()


def drawn_face() -> np.ndarray:
    """A head with the light and dark places that Haar features look for."""
    image = np.full((200, 200, 3), 90, np.uint8)
    cv2.ellipse(image, (100, 100), (52, 68), 0, 0, 360, (215, 190, 175), -1)
    for x in (78, 122):
        cv2.ellipse(image, (x, 78), (15, 6), 0, 0, 360, (110, 90, 80), -1)
        cv2.ellipse(image, (x, 88), (11, 6), 0, 0, 360, (60, 50, 50), -1)
    cv2.ellipse(image, (100, 112), (6, 16), 0, 0, 360, (235, 210, 195), -1)
    cv2.ellipse(image, (100, 138), (20, 6), 0, 0, 360, (120, 60, 60), -1)
    return cv2.GaussianBlur(image, (9, 9), 0)
