import json
from functools import partial

import pytest
import torch
from made_videos import picture, write_video
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from tiny import tiny_config, tiny_slowonly, write_tiny_ava

from mmanon.actions import ActionDetectionInferencer
from mmanon.anonymizer import DetectionOptions

LENGTH = 12


@pytest.fixture(scope='session')
def plain(tmp_path_factory):
    """A plain detector, untrained: its config, its checkpoint and its data."""
    root = tmp_path_factory.mktemp('plain')
    write_tiny_ava(root, clips=1)
    config = tiny_config(root, root / 'work')
    config.custom_hooks = []
    config.dump(root / 'plain.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(ConfigDict(tiny_slowonly()))
    torch.save(dict(state_dict=model.state_dict()), root / 'plain.pth')
    return root


@pytest.fixture
def clips(tmp_path):
    """Two videos of a red square, and where its face and its person are."""
    folder = tmp_path / 'clips'
    folder.mkdir()
    faces, people = {}, {}
    for name in ('a.mp4', 'b.mp4'):
        write_video(folder / name, [picture(t) for t in range(LENGTH)])
        places = range(LENGTH)
        faces[name] = {t: [[8 + 2 * t, 20, 24 + 2 * t, 36]] for t in places}
        people[name] = {t: [[4 + 2 * t, 10, 30 + 2 * t, 60]] for t in places}
    (tmp_path / 'faces.json').write_text(json.dumps(faces))
    (tmp_path / 'people.json').write_text(json.dumps(people))
    return folder


@pytest.fixture
def make(plain, clips):
    """Makes an inferencer of that detector that knows where the faces are."""
    faces = clips.parent / 'faces.json'
    return partial(
        ActionDetectionInferencer,
        plain / 'plain.py',
        plain / 'plain.pth',
        detection=DetectionOptions(boxes=faces),
        score_thr=0.0,
    )
