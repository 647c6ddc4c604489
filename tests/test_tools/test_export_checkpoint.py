import json
import os
import subprocess
import sys
from pathlib import Path

import mmaction
import pytest
import torch
from tiny import tiny_config, tiny_modifier, write_tiny_ava, write_tiny_faces

from mmanon.models.modifier_files import load_modifier
from mmanon.models.weight_files import load_checkpoint
from mmanon.registry import MODELS
from mmanon.structures.crop_geometry import CropGeometry

ROOT = Path(__file__).parents[2]


def python(*args):
    return subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp('trained')
    write_tiny_ava(root / 'data')
    write_tiny_faces(root / 'data' / 'people')
    config = tiny_config(root / 'data', root / 'work')
    config.train_cfg.max_epochs = 1
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.dump(root / 'joint.py')
    config.custom_hooks = []
    config.log_level = 'INFO'
    config.custom_imports = dict(imports=['mmanon.datasets'])
    config.dump(root / 'plain.py')
    done = python('tools/train.py', root / 'joint.py')
    assert done.returncode == 0, done.stderr[-3000:]
    done = python(
        'tools/export_checkpoint.py',
        root / 'work' / 'epoch_1.pth',
        '--detector',
        root / 'out' / 'detector.pth',
        '--modifier',
        root / 'out' / 'modifier.pth',
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root


def test_mmaction2s_own_test_script_evaluates_the_exported_detector(trained):
    script = Path(mmaction.__path__[0]) / '.mim' / 'tools' / 'test.py'
    if not script.is_file():
        pytest.skip('this mmaction2 is installed without its tools')
    # The import only makes today's releases load together.
    done = python(
        '-c',
        'import mmanon, runpy, sys; sys.argv = sys.argv[1:]; '
        'runpy.run_path(sys.argv[0], run_name="__main__")',
        script,
        trained / 'plain.py',
        trained / 'out' / 'detector.pth',
        '--work-dir',
        trained / 'mmaction2',
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert 'mAP/overall' in done.stdout + done.stderr
    assert 'missing keys' not in done.stdout + done.stderr
    assert 'unexpected key' not in done.stdout + done.stderr


def test_the_exported_modifier_loads_alone_and_is_trained(trained):
    modifier = MODELS.build(tiny_modifier())
    file = torch.load(trained / 'out' / 'modifier.pth', weights_only=True)

    modifier.load_state_dict(file['state_dict'], strict=True)

    assert not modifier.is_untrained


def test_the_exported_modifier_brings_its_card(trained):
    (trained / 'figures.json').write_text('{"faces/acc_modified": 0.25}')
    done = python(
        'tools/export_checkpoint.py',
        trained / 'work' / 'epoch_1.pth',
        '--modifier',
        trained / 'out' / 'licensed.pth',
        '--licence',
        'CC BY 4.0',
        '--figures',
        trained / 'figures.json',
    )
    assert done.returncode == 0, done.stderr[-3000:]

    modifier, card = load_modifier(trained / 'out' / 'licensed.pth')

    assert not modifier.is_untrained
    assert card.geometry == CropGeometry(32, 0.3, 0.1)
    assert card.licence == 'CC BY 4.0'
    assert card.figures == {'faces/acc_modified': 0.25}
    assert card.trained_on == (
        f'faces of {trained}/data/people, videos of {trained}/data/rawframes'
    )


def test_a_checkpoint_without_a_card_takes_it_from_the_config(trained):
    checkpoint = load_checkpoint(trained / 'work' / 'epoch_1.pth')
    old = trained / 'old.pth'
    torch.save(dict(state_dict=checkpoint['state_dict'], meta={}), old)
    export = ('tools/export_checkpoint.py', old, '--modifier', trained / 'm.pth')

    done = python(*export)
    assert done.returncode == 0
    assert 'does not describe its modifier' in done.stdout
    done = python(*export, '--licence', 'MIT')
    assert done.returncode == 1
    assert 'give the config of its training as --config' in done.stderr
    done = python(*export, '--licence', 'MIT', '--config', trained / 'joint.py')
    assert done.returncode == 0, done.stderr[-3000:]
    assert load_modifier(trained / 'm.pth')[1].licence == 'MIT'


def test_figures_that_are_none_are_named(trained):
    for text, message in (
        ('[1]', 'figures must be numbers by names'),
        ('{', 'wrong.json is not JSON'),
    ):
        (trained / 'wrong.json').write_text(text)
        done = python(
            'tools/export_checkpoint.py',
            trained / 'work' / 'epoch_1.pth',
            '--modifier',
            trained / 'no.pth',
            '--figures',
            trained / 'wrong.json',
        )
        assert done.returncode == 1
        assert message in done.stderr and 'Traceback' not in done.stderr
    assert not (trained / 'no.pth').exists()


def test_testing_writes_the_metrics_to_a_file(trained):
    done = python(
        'tools/test.py',
        trained / 'joint.py',
        trained / 'work' / 'epoch_1.pth',
        '--out',
        trained / 'metrics.json',
    )

    assert done.returncode == 0, done.stderr[-3000:]
    metrics = json.loads((trained / 'metrics.json').read_text())
    assert {'mAP/overall', 'faces/acc_original', 'faces/acc_modified'} <= set(metrics)


def test_a_file_without_a_modifier_is_named(trained):
    done = python(
        'tools/export_checkpoint.py',
        trained / 'out' / 'detector.pth',
        '--modifier',
        trained / 'no.pth',
    )

    assert done.returncode != 0
    assert 'no weights named modifier' in done.stderr
    assert not (trained / 'no.pth').exists()


def test_an_unwritable_work_dir_is_named_before_any_work(trained):
    (trained / 'file').write_text('not a folder')

    done = python(
        'tools/train.py', trained / 'joint.py', '--work-dir', trained / 'file' / 'work'
    )

    assert done.returncode != 0
    assert f'cannot write to the work dir {trained}/file/work' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_broken_checkpoint_is_named_in_one_sentence(tmp_path):
    broken = tmp_path / 'page.pth'
    broken.write_text('<!doctype html><title>Not found</title>')

    done = python(
        'tools/export_checkpoint.py', broken, '--modifier', tmp_path / 'm.pth'
    )

    assert done.returncode == 1
    assert 'page.pth holds no weights of PyTorch' in done.stderr
    assert 'a web page' in done.stderr and 'Traceback' not in done.stderr
