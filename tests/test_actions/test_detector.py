from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODELS, DefaultScope

from mmanon.actions.detector import ActionDetector, read_detector_config

ROOT = 'configs/mini'
FRAMES = [np.full((48, 64, 3), 40 * k, np.uint8) for k in range(2)]
PEOPLE = np.array([[4.0, 4, 30, 40], [20, 0, 60, 48], [0, 0, 8, 8]])


@pytest.fixture(scope='module')
def detector(plain):
    return ActionDetector(plain / 'plain.py', plain / 'plain.pth')


def test_the_window_is_the_configs_own(detector):
    assert detector.offsets == [-2, 0] and detector.takes_people
    assert detector.names == ['action 0', 'action 1', 'action 2', 'action 3']
    assert not detector.plays_game and detector.place.device == 'cpu'


def test_each_person_gets_a_score_for_each_action_and_none_for_no_action(detector):
    seen = detector.look(FRAMES, PEOPLE)
    assert np.allclose(seen.boxes, PEOPLE / [64, 48, 64, 48], atol=1e-6)
    assert seen.scores.shape == (3, 4)
    assert (seen.scores[:, 0] == 0).all() and (seen.scores[:, 1:] > 0).all()
    # Whoever else is there does not matter.
    alone = detector.look(FRAMES, PEOPLE[1:2])
    assert np.allclose(alone.scores[0], seen.scores[1], atol=1e-5)
    assert not np.allclose(seen.scores[0], seen.scores[1])


def test_where_nobody_is_nothing_is_asked(detector):
    seen = detector.look(FRAMES, np.zeros((0, 4)))
    assert seen.boxes.shape == (0, 4) and seen.scores.shape == (0, 4)


def test_it_answers_as_the_test_of_the_config_does(plain):
    """The frames of a data set, through its own pipeline and through ours."""
    from mmaction.registry import DATASETS
    from mmengine.dataset import pseudo_collate

    detector = ActionDetector(plain / 'plain.py', plain / 'plain.pth')
    config = read_detector_config(plain / 'plain.py')
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(config.test_dataloader.dataset)
        (expected,) = detector.model.test_step(pseudo_collate([dataset[0]]))
    import cv2

    info = dataset.get_data_info(0)
    folder = plain / 'rawframes' / 'clip0'
    middle = 5  # as SampleAVAFrames counts timestamp 4 of these clips
    frames = [
        cv2.imread(str(folder / f'img_{middle + offset:05}.jpg'))[..., ::-1]
        for offset in detector.offsets
    ]
    seen = detector.look(frames, info['proposals'] * 64)
    scores = expected.pred_instances.scores.numpy()
    assert np.allclose(seen.scores[:, 1:], scores[:, 1:], atol=1e-5)


def test_the_detector_is_taken_out_of_a_training_checkpoint(plain, detector, tmp_path):
    state = torch.load(plain / 'plain.pth', weights_only=True)['state_dict']
    ours = {f'detector.{name}': value for name, value in state.items()}
    ours['modifier.updates'] = torch.ones(())
    torch.save(dict(state_dict=ours), tmp_path / 'ours.pth')
    again = ActionDetector(plain / 'plain.py', tmp_path / 'ours.pth')
    expected = detector.look(FRAMES, PEOPLE).scores
    assert np.array_equal(again.look(FRAMES, PEOPLE).scores, expected)


def test_a_checkpoint_of_another_config_is_refused(plain, tmp_path):
    torch.save({'backbone.conv1.conv.weight': torch.ones(1)}, tmp_path / 'other.pth')
    said = r'other.pth does not fit the config .*plain.py: \d+ of \d+'
    with pytest.raises(ValueError, match=said):
        ActionDetector(plain / 'plain.py', tmp_path / 'other.pth')
    with pytest.raises(FileNotFoundError, match='none.pth does not exist'):
        ActionDetector(plain / 'plain.py', tmp_path / 'none.pth')


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder, and the address at which a server on this machine shows its files."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    folder = tmp_path / 'zoo'
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(SimpleHTTPRequestHandler, 'log_message', lambda *_: None)
    with HTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_a_checkpoint_by_its_address_is_downloaded_once(plain, served, detector):
    folder, address = served
    checkpoint = torch.load(plain / 'plain.pth', weights_only=True)
    # As in published checkpoints of mmaction2.
    checkpoint['message_hub'] = dict(log_scalars=dict(loss=HistoryBuffer([0.5], [1])))
    torch.save(checkpoint, folder / 'slowonly.pth')
    expected = detector.look(FRAMES, PEOPLE).scores
    file = (folder / 'slowonly.pth').as_uri()
    for where in (f'{address}/slowonly.pth', f'{address}/slowonly.pth', file):
        loaded = ActionDetector(plain / 'plain.py', where)
        assert np.array_equal(loaded.look(FRAMES, PEOPLE).scores, expected)
        if where != file:
            (folder / 'slowonly.pth').unlink(missing_ok=True)
            torch.save(checkpoint, folder / 'slowonly.pth')
    with pytest.raises(ValueError, match=r'/none.pth cannot be downloaded: .*404'):
        ActionDetector(plain / 'plain.py', f'{address}/none.pth')
    assert [one.name for one in folder.parent.glob('home/hub/checkpoints/*')] == [
        'slowonly.pth'
    ]


def test_a_checkpoint_by_its_address_runs_no_code(plain, served, tmp_path):
    folder, address = served

    class Code:
        def __reduce__(self):
            return Path.touch, (tmp_path / 'ran',)

    torch.save(dict(state_dict=Code()), folder / 'code.pth')
    with pytest.raises(ValueError, match='code.pth'):
        ActionDetector(plain / 'plain.py', f'{address}/code.pth')
    assert not (tmp_path / 'ran').exists()


def test_configs_that_cannot_be_used_are_refused(plain, tmp_path):
    with pytest.raises(FileNotFoundError, match='config none.py does not exist'):
        read_detector_config('none.py')
    (tmp_path / 'model.py').write_text('model = dict(type="FastRCNN")\n')
    with pytest.raises(ValueError, match='has no test_dataloader'):
        read_detector_config(tmp_path / 'model.py')
    config = Config.fromfile(plain / 'plain.py')
    pipeline = config.test_dataloader.dataset.pipeline
    pipeline[0] = dict(type='SampleFrames', clip_len=2, frame_interval=2, num_clips=1)
    with pytest.raises(ValueError, match='SampleFrames does not sample frames around'):
        ActionDetector(config, plain / 'plain.pth')
    del pipeline[0]
    with pytest.raises(ValueError, match=r"begins with \['RawFrameDecode'\]"):
        ActionDetector(config, plain / 'plain.pth')


def test_a_config_of_a_package_is_read_by_its_name():
    config = read_detector_config(
        'mmaction::detection/slowonly/'
        'slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py'
    )
    assert config.model.type == 'FastRCNN'


def test_a_detector_of_single_frames_finds_people_itself(tmp_path):
    config = read_detector_config(f'{ROOT}/faster-rcnn_mini.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config.model)
    torch.save(model.state_dict(), tmp_path / 'frames.pth')
    detector = ActionDetector(config, tmp_path / 'frames.pth')
    assert not detector.takes_people and detector.offsets == [0]
    assert detector.names[0] == 'drink' and len(detector.names) == 12
    image = np.random.default_rng(0).integers(0, 255, (60, 90, 3)).astype(np.uint8)
    seen = detector.look([image], np.zeros((0, 4)))
    assert len(seen.boxes) == len(seen.scores) > 0
    assert ((seen.scores > 0).sum(1) == 1).all()  # one action a box
    assert seen.boxes.min() >= 0 and seen.boxes.max() <= 1
