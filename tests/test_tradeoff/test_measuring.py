"""All figures of one modifier: the command, and what it is made of."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from named_modifier import GEOMETRY, write_named
from tiny import tiny_discriminator, write_tiny_faces

from mmanon.cli import measure as command
from mmanon.cli import train
from mmanon.datasets import FaceIdentityDataset
from mmanon.face_detectors import BaseFaceDetector
from mmanon.registry import MODELS
from mmanon.tradeoff.measuring import PARTS, measure, read_measurement
from mmanon.tradeoff.measuring.crops import as_crops
from mmanon.tradeoff.measuring.groups import error_with_spread, measure_groups
from mmanon.tradeoff.measuring.practice import Practice, attacks_of
from mmanon.tradeoff.measuring.remembered import FaceMemory, RememberedModifier
from mmanon.tradeoff.measuring.strength import judge_attackers

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / 'configs/_base_/attackers/validated.py'


@MODELS.register_module()
class WholeDetector(BaseFaceDetector):
    """Takes the middle of each picture for a face."""

    def _detect(self, image):
        height, width = image.shape[:2]
        size = np.array([width, height], np.float32)
        box = np.concatenate([size * 0.25, size * 0.75])[None]
        parts = np.array([(0.4, 0.4), (0.6, 0.4), (0.5, 0.5), (0.42, 0.6), (0.58, 0.6)])
        return box, np.ones(1, np.float32), (parts * size)[None].astype(np.float32)


@pytest.fixture(scope='module')
def named(tmp_path_factory):
    folder = tmp_path_factory.mktemp('named')
    write_named(folder)
    return folder / 'stranger.onnx'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for name, number in (('practice', 3), ('stop', 3), ('test', 10)):
        write_tiny_faces(root / name, identities=number, images=2)
        for folder in list((root / name).iterdir()):
            folder.rename(folder.with_name(f'{name}_{folder.name}'))
    kinds = [f'test_person{k},{"odd" if k % 2 else "even"}' for k in range(10)]
    (root / 'labels.csv').write_text('\n'.join(['person,kind', *kinds]) + '\n')
    return root


@pytest.fixture
def config(data, tmp_path):
    faces = dict(type='mmanon.FaceIdentityDataset', image_margin=0.5)
    recognizer = {**tiny_discriminator(None), 'margin': 0.0, 'head': None}
    torch.manual_seed(0)
    torch.save(
        {
            f'backbone.{name}': value
            for name, value in MODELS.build(recognizer).backbone.state_dict().items()
        },
        tmp_path / 'recognizer.pth',
    )
    recognizer.pop('margin')
    recognizer['init_cfg'] = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'recognizer.pth')
    )
    practising = Config.fromfile(TRAINING)
    practising.model = dict(
        type='mmanon.AdaptiveRecognizer',
        modifier=dict(type='mmanon.IdentityModifier'),
        recognizer={**tiny_discriminator(num_classes=3), 'margin': 0.0},
    )
    practising.train_dataloader.batch_size = 6
    practising.train_dataloader.sampler.batch_size = 6
    practising.train_cfg.update(max_iters=2, val_interval=1)
    practising.dump(tmp_path / 'practising.py')
    return Config(
        dict(
            work_dir=str(tmp_path / 'out'),
            measured=dict(
                people=dict(people=dict(**faces, data_root=str(data / 'test'))),
                attacker_faces=dict(
                    **faces,
                    data_root=str(data / 'practice'),
                    augmentation=dict(type='mmanon.FaceAugmentation', versions=2),
                ),
                attacker_val_faces=dict(**faces, data_root=str(data / 'stop')),
                attackers=dict(
                    known=dict(recognizer=recognizer),
                    dlib=dict(
                        recognizer=dict(type='mmanon.DlibRecognizer', weights='none'),
                        optional=True,
                    ),
                    practising=dict(
                        train=str(tmp_path / 'practising.py'), beside='known'
                    ),
                ),
                detector=dict(type='mmanon.WholeDetector'),
                modifiers=dict(raw=dict(type='mmanon.IdentityModifier')),
                geometry=dict(crop_size=24, margin=0.5, feather=0.1),
                groups=dict(
                    people=dict(**faces, data_root=str(data / 'test')),
                    labels=str(data / 'labels.csv'),
                    named='test_*',
                    keys=2,
                    least=3,
                ),
                sheets=dict(count=4, skip=['1.*']),
                presets=dict(small=dict(attackers=['known'], parts=['recognizers'])),
            ),
        )
    )


# What was drawn is remembered.


def faces(count=5, size=24):
    generator = torch.Generator().manual_seed(3)
    return torch.rand(count, 3, size, size, generator=generator) * 2 - 1


def test_a_picture_is_drawn_once_and_the_same_wherever_it_stands(named, tmp_path):
    modifier = RememberedModifier(str(named))
    calls = []
    draw = modifier.backend.modify
    modifier.backend.modify = lambda *given: calls.append(len(given[0])) or draw(*given)
    shown = faces()
    first = modifier(shown)
    assert torch.equal(modifier(shown.flip(0)), first.flip(0)) and calls == [5]
    # Each picture has a key of its own, and another seed has others.
    twice = modifier(shown[:1].repeat(2, 1, 1, 1))
    assert torch.equal(twice[0], twice[1])
    assert not torch.equal(RememberedModifier(str(named), seed=1)(shown), first)
    modifier.memory.save(tmp_path / 'drawn.npz')
    again = RememberedModifier(str(named), memory=str(tmp_path / 'drawn.npz'))
    again.backend.modify = None
    assert torch.equal(again(shown), first)


def test_what_is_drawn_is_what_a_file_would_hold(named):
    drawn = (RememberedModifier(str(named))(faces()) + 1) * 127.5
    assert torch.allclose(drawn, drawn.round(), atol=1e-3)


def test_a_memory_that_is_not_there_holds_nothing(tmp_path):
    memory = FaceMemory()
    memory.load(tmp_path / 'none.npz')
    assert not memory.drawn


def test_all_draws_of_an_image_are_among_its_versions(data):
    people = FaceIdentityDataset(
        data / 'practice',
        crop_size=24,
        margin=0.5,
        augmentation=dict(type='mmanon.FaceAugmentation', versions=2),
    )
    from mmanon.datasets import FaceDraw

    versions = {one.numpy().tobytes() for one in people.versions_of(1, 2)}
    draws = {
        people.pixels(FaceDraw(1, place, 7))[0].numpy().tobytes() for place in range(40)
    }
    assert draws == versions and len(versions) == 4


# Crops.


def test_photographs_are_cut_once_and_named_people_alone(tmp_path):
    root = tmp_path / 'photographs'
    for name in ('ann', 'bob'):
        (root / name).mkdir(parents=True)
        image = np.full((60, 80, 3), 90, np.uint8)
        image[15:45, 20:60] = 200
        cv2.imwrite(str(root / name / 'a.png'), image)
    people = dict(
        type='mmanon.FaceIdentityDataset',
        data_root=str(root),
        detector=dict(type='mmanon.WholeDetector'),
        identities=['bob'],
    )
    found = as_crops(people, GEOMETRY, tmp_path / 'crops')
    assert 'detector' not in found and found['data_root'] == str(tmp_path / 'crops')
    (crop,) = (tmp_path / 'crops').glob('*/*.png')
    assert crop.parent.name == 'bob' and cv2.imread(str(crop)).shape == (256, 256, 3)
    crop.unlink()
    as_crops(people, GEOMETRY, tmp_path / 'crops')
    assert not crop.exists()
    crops = dict(type='mmanon.FaceIdentityDataset', data_root=str(root))
    assert as_crops(crops, GEOMETRY, tmp_path / 'none') == crops


# Groups.


def test_an_error_has_a_spread_where_people_are_few():
    random = np.random.default_rng(0)
    owner = np.repeat(np.arange(8), 2)
    sure = (owner[:, None] == owner[None]) * 1.0
    assert error_with_spread(sure[None], owner) == (0, 0)
    error, spread = error_with_spread(random.normal(size=(1, 16, 16)), owner)
    assert 0.2 < error < 0.8 and spread > 0.02


def test_groups_are_named_and_small_ones_left_out(config, named, data):
    config.measured.groups.least = 5
    measured = read_measurement(config, str(named))
    people = config.measured.groups.people.to_dict()
    found = measure_groups(measured, people, attacks_of(measured, practising=False))
    assert found['kind/odd/people'] == found['kind/even/people'] == 5
    for matching in ('original_original', 'modified_original', 'modified_modified'):
        assert 0 <= found[f'kind/odd/known/{matching}/eer'] <= 1
    measured.groups['least'] = 6
    assert not measure_groups(measured, people, attacks_of(measured, practising=False))
    measured.groups['named'] = 'nobody*'
    with pytest.raises(ValueError, match='nobody in'):
        measure_groups(measured, people, [])


# Attackers.


def test_who_is_worse_than_without_practice_is_told_why(config):
    measured = read_measurement(config, 'raw')
    names = ('practising', 'known')
    good, bad = (
        {
            f'people/{n}/modified_original/eer': e
            for n, e in zip(names, two, strict=True)
        }
        for two in ((0.1, 0.1), (0.2, 0.1))
    )
    told = {
        'practice/people': 3,
        'practice/practising/best_iteration': 50,
        'practice/practising/iterations': 250,
        'practice/practising/most': 2000,
    }
    (said,) = judge_attackers(measured, {**good, **told}, 'people')
    assert said.endswith('as good or better')
    (said,) = judge_attackers(measured, {**bad, **told}, 'people')
    assert '20.0 %, known: 10.0 %: WORSE' in said
    assert '3 people' in said and 'after 50 of 250' in said and 'gained no more' in said


# The command.


def test_a_whole_measurement_and_its_card(config, named, tmp_path, monkeypatch):
    config.dump(tmp_path / 'config.py')
    monkeypatch.chdir(tmp_path)
    # In this process, which has imported what training needs.
    trained = []

    def run(self, given, log):
        assert given[0] == 'train.py'
        trained.append(Path(given[1]).stem)
        train.main(given[1:])

    monkeypatch.setattr('mmanon.tradeoff.sweep.workers.Commands.__call__', run)
    arguments = ['config.py', str(named), '--work-dir', 'out']
    arguments += ['--out', 'stranger.json']
    parts = [part for part in PARTS if part not in ('speed', 'motion')]
    assert command.main([*arguments, '--parts', *parts]) == 0
    figures = json.loads(Path('stranger.json').read_text())
    assert figures['modifier'] == 'stranger' and figures['left_out'] == ['dlib']
    for name in ('known', 'practising'):
        for matching in ('original_original', 'modified_original', 'modified_modified'):
            assert 0 <= figures[f'people/{name}/{matching}/eer'] <= 1
    assert figures['people/people'] == 10 and figures['practice/people'] == 3
    assert figures['practice/practising/most'] == 2
    assert figures['kept/people/found_again'] == 1
    assert figures['groups/kind/odd/people'] == 5
    (folder,) = Path('out').glob('stranger_*')
    for sheet in ('people.png', 'failures.png'):
        assert cv2.imread(str(folder / 'sheets' / sheet)) is not None
    # Speed is measured anew, and the attackers do not practise again.
    assert command.main([*arguments, '--parts', 'attackers', 'speed']) == 0
    assert json.loads(Path('stranger.json').read_text())['speed/faces_a_second'] > 0
    assert trained == ['practising']
    # Others begin as these came out.
    again = read_measurement(config, 'raw', start_from=folder)
    (stage,) = Practice(again).stages()
    assert stage.config.load_from == str(folder.resolve() / 'seed_0/practising.pth')
    with pytest.raises(FileNotFoundError, match='no trained attackers'):
        read_measurement(config, 'raw', start_from=tmp_path)


def test_a_preset_leaves_out_and_names_are_checked(config, named):
    measured = read_measurement(config, str(named), preset='small')
    assert list(measured.plan.attackers) == ['known']
    assert list(measured.parts) == ['recognizers'] and not measured.left_out
    with pytest.raises(FileNotFoundError, match='no modifier is called .rae.*`raw`'):
        read_measurement(config, 'rae')
    with pytest.raises(ValueError, match="unknown preset 'smal'; did you mean"):
        read_measurement(config, 'raw', preset='smal')
    config.measured.peopel = {}
    with pytest.raises(ValueError, match="unknown key 'peopel'"):
        read_measurement(config, 'raw')
    config.measured = None
    with pytest.raises(ValueError, match='no `measured`'):
        read_measurement(config, 'raw')


def test_faces_without_an_end_of_pictures_are_refused(config, named):
    del config.measured.attacker_faces.augmentation.versions
    measured = read_measurement(config, str(named))
    with pytest.raises(ValueError, match='no limit of pictures'):
        measure(measured, ROOT / 'tools', parts=['attackers'])


def test_parts_are_checked_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['measure'])
    with pytest.raises(SystemExit, match="no 'sped'; there are kept"):
        command.main(['none.py', 'raw', '--parts', 'sped'])
