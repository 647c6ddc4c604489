import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope
from tiny import tiny_config, write_tiny_faces

from mmanon.registry import DATASETS

ROOT = Path(__file__).parents[2]


def align(config: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / 'align_faces.py'), str(config), *options],
        cwd=config.parent,
        env=dict(
            os.environ,
            PYTHONPATH=os.pathsep.join([str(ROOT), str(config.parent)]),
            OMP_NUM_THREADS='1',
        ),
        capture_output=True,
        text=True,
    )


@pytest.fixture
def config(tmp_path):
    """Training faces are photographs, validation takes the crops as they are."""
    (tmp_path / 'one_box.py').write_text(
        'import numpy as np\n'
        'from mmanon.structures.landmark_template import TEMPLATE\n'
        'from mmanon.face_detectors import FaceDetections\n'
        'from mmanon.registry import MODELS\n'
        '@MODELS.register_module()\n'
        'class OneBox:\n'
        '    def __init__(self):\n'
        '        print("OneBox begins")\n'
        '    def detect(self, image):\n'
        '        box = np.array([[8.0, 8, 24, 24]])\n'
        '        return FaceDetections(box, np.ones(1), TEMPLATE[None] / 7 + 8)\n'
    )
    write_tiny_faces(tmp_path / 'data' / 'people')
    config = tiny_config(tmp_path / 'data', tmp_path / 'work')
    config.custom_imports = dict(imports=['one_box'])
    hook = config.custom_hooks[0]
    hook.faces.dataset.detector = dict(type='mmanon.OneBox')
    hook.faces.dataset.cache_dir = str(tmp_path / 'cache')
    config.test_evaluator = [config.test_evaluator, dict(dataset=hook.faces.dataset)]
    return config


def test_the_face_sets_are_ready_for_training(config, tmp_path):
    config.dump(tmp_path / 'config.py')
    done = align(tmp_path / 'config.py')
    assert done.returncode == 0, done.stderr
    # The set of the evaluator is the one of the hook.
    assert done.stdout.count('preparing the faces of') == 2
    assert done.stdout.count('OneBox begins') == 1
    assert len(list((tmp_path / 'cache').rglob('*.png'))) == 12
    # As the hook builds it.
    init_default_scope('mmaction')
    hook = config.custom_hooks[0]
    dataset = dict(hook.faces.dataset, detector=dict(type='mmanon.OneBox'))
    made = DATASETS.build(
        dict(dataset, crop_size=hook.crop_size, margin=hook.margin, flip_ratio=0)
    )
    assert len(made) == 12

    again = align(tmp_path / 'config.py')
    assert again.returncode == 0 and 'OneBox begins' not in again.stdout


def test_what_is_wrong_is_said_in_a_sentence(config, tmp_path):
    config.dump(tmp_path / 'config.py')
    missing = align(
        tmp_path / 'config.py',
        '--cfg-options',
        'custom_hooks.0.faces.dataset.data_root=nowhere',
    )
    assert missing.returncode == 1
    said = missing.stderr.strip().splitlines()[-1]
    assert said.startswith('data_root nowhere is not a folder')
    config.custom_hooks = []
    config.dump(tmp_path / 'config.py')
    assert (
        'has no hook that anonymizes and names faces'
        in align(tmp_path / 'config.py').stderr
    )
    assert 'does not exist' in align(tmp_path / 'nowhere.py').stderr
