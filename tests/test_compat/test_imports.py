"""The stack imports together, and nothing more than needed is done for it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOWONLY = (
    'mmaction::detection/slowonly/'
    'slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py'
)

VERSION_CHECK = """
import mmcv
from mmengine.utils import digit_version

__version__ = '1.2.0'
mmcv_minimum_version = '2.0.0rc4'
mmcv_maximum_version = '2.2.0'
mmcv_version = digit_version(mmcv.__version__)
assert (digit_version(mmcv_minimum_version) <= mmcv_version
        < digit_version(mmcv_maximum_version)), f'MMCV=={mmcv.__version__}'
"""
REGISTRY = """
from mmengine.registry import Registry

MODELS = Registry('model', scope='mmaction', locations=['mmaction.models'])
"""
THEIR_DRN = """
from mmaction.registry import MODELS


@MODELS.register_module()
class DRN:
    pass
"""
JOB = """
import mmaction.models


class Data:
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return mmaction.models.DRN.__name__
"""

JOB_OF_OPERATORS = """
from mmcv import _ext


class Data:
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return _ext.nms.__name__
"""


@pytest.fixture
def fake_stack(tmp_path):
    """A function that writes small mmcv, mmaction and mmdet packages to a folder."""

    def write(mmcv: str, with_drn: bool) -> Path:
        models = 'mmaction/models'
        files = {
            'mmcv/__init__.py': f'__version__ = {mmcv!r}\n',
            'mmdet/__init__.py': VERSION_CHECK,
            'mmaction/__init__.py': VERSION_CHECK,
            'mmaction/registry.py': REGISTRY,
            'mmaction/data.py': JOB,
            f'{models}/__init__.py': 'from .localizers import *\n',
            f'{models}/localizers/__init__.py': (
                "from .drn.drn import DRN\n__all__ = ['DRN']\n"
            ),
        }
        if with_drn:
            files[f'{models}/localizers/drn/__init__.py'] = ''
            files[f'{models}/localizers/drn/drn.py'] = THEIR_DRN
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


def site_packages_without(folder: Path, *absent: str) -> Path:
    """A folder of links to everything installed here but some packages."""
    folder.mkdir()
    for path in map(Path, sys.path):
        if path.name != 'site-packages':
            continue
        for entry in path.iterdir():
            link = folder / entry.name
            if entry.name.partition('.')[0] not in absent and not link.exists():
                link.symlink_to(entry)
    return folder


def run(code: str, *paths: Path, options: tuple[str, ...] = ()) -> str:
    """Run code in a new Python with the paths and mmanon's in front; its output."""
    env = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join([*map(str, paths), str(ROOT)]),
        'OMP_NUM_THREADS': '1',
    }
    done = subprocess.run(
        [sys.executable, *options, '-c', textwrap.dedent(code)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_healthy_stack_is_left_alone_in_silence(fake_stack):
    out = run(
        """
        import mmanon, mmcv, mmaction, mmaction.models, mmdet, multiprocessing
        assert mmcv.__version__ == '2.1.0'
        assert 'stand-in' not in mmaction.models.localizers.drn.__spec__.origin
        mmaction.registry.MODELS.build(dict(type='DRN'))
        config = multiprocessing.current_process()._config
        assert not any('mmanon' in key for key in config), config
        """,
        fake_stack('2.1.0', with_drn=True),
    )
    assert out == ''


def test_newer_mmcv_is_let_through_and_its_version_restored(fake_stack):
    out = run(
        """
        import mmanon, mmcv, mmaction, mmdet
        for package in (mmaction, mmdet):
            assert mmcv.__version__ == '2.3.6'
            assert package.mmcv_version[:3] == (2, 3, 6)
            assert package.__spec__.loader is package.__loader__
            assert 'mmanon' not in type(package.__loader__).__module__
        import mmaction.models
        """,
        fake_stack('2.3.6', with_drn=True),
    )
    assert out.count('mmaction 1.2.0 accepts mmcv below 2.2.0, but 2.3.6') == 1
    assert out.count('mmdet 1.2.0 accepts') == 1
    assert 'DRN' not in out


@pytest.mark.parametrize('version', ['1.7.1', '3.0.0'])
@pytest.mark.parametrize('package', ['mmaction', 'mmdet'])
def test_mmcv_of_another_generation_is_still_refused(fake_stack, package, version):
    run(
        f"""
        import mmanon, mmcv
        try:
            import {package}
        except AssertionError as error:
            assert 'MMCV=={version}' in str(error)
        else:
            raise SystemExit('was let through')
        assert mmcv.__version__ == '{version}'
        """,
        fake_stack(version, with_drn=True),
    )


def test_another_failure_while_mmaction_imports_is_not_hidden(fake_stack):
    folder = fake_stack('2.3.6', with_drn=True)
    with open(folder / 'mmaction/__init__.py', 'a') as file:
        file.write("assert False, 'broken'\n")
    run(
        """
        import mmanon, mmcv
        try:
            import mmaction
        except AssertionError as error:
            assert str(error) == 'broken'
        else:
            raise SystemExit('the failure was hidden')
        assert mmcv.__version__ == '2.3.6'
        """,
        folder,
    )


def test_missing_drn_is_stood_in_for_and_says_so_when_built(fake_stack):
    out = run(
        """
        import mmanon, mmaction.models
        try:
            mmaction.registry.MODELS.build(dict(type='DRN', depth=3))
        except ImportError as error:
            assert 'install mmaction2 from source' in str(error)
        else:
            raise SystemExit('DRN was built')
        """,
        fake_stack('2.1.0', with_drn=False),
    )
    assert out.count('the installed mmaction2 lacks') == 1


def test_mmaction_imported_first_gets_its_stand_in_too(fake_stack):
    run(
        """
        import mmaction
        import mmanon, mmaction.models
        assert mmaction.models.DRN.__name__ == 'DRN'
        """,
        fake_stack('2.1.0', with_drn=False),
    )


def test_calling_again_adds_nothing(fake_stack):
    out = run(
        """
        import sys
        import mmanon.registry
        from mmanon.compat import make_stack_importable
        before = list(sys.meta_path)
        make_stack_importable()
        import mmaction.models
        make_stack_importable()
        assert sys.meta_path == before
        """,
        fake_stack('2.3.6', with_drn=False),
    )
    assert out.count('mmaction 1.2.0 accepts') == 1


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_loader_workers_import_a_data_set_of_mmaction(fake_stack, method):
    out = run(
        f"""
        if __name__ == '__main__':
            import mmanon
            from mmaction.data import Data
            from torch.utils.data import DataLoader
            loader = DataLoader(
                Data(), num_workers=1, multiprocessing_context='{method}'
            )
            assert [batch for batch in loader] == [['DRN'], ['DRN']]
        """,
        fake_stack('2.3.6', with_drn=False),
    )
    assert out.count('mmaction 1.2.0 accepts') == 1, 'workers repeat the message'


def test_stand_in_takes_the_place_of_missing_operators_and_says_so_once(fake_stack):
    out = run(
        """
        import mmanon, mmcv._ext
        from mmcv import _ext
        import torch
        boxes = torch.tensor([[0, 0, 9.0, 9], [0, 0, 9, 8]])
        assert _ext.nms(boxes, torch.tensor([0.5, 0.6]), 0.5, 0).tolist() == [1]
        assert hasattr(_ext, 'carafe_forward')
        try:
            _ext.carafe_forward()
        except NotImplementedError as error:
            assert 'carafe_forward is an operator of mmcv' in str(error)
        else:
            raise SystemExit('carafe was computed')
        """,
        fake_stack('2.1.0', with_drn=True),
    )
    assert out.count('the installed mmcv has no compiled operators') == 1
    assert out.count('mmanon.compat') == 1


def test_compiled_operators_are_used_where_they_are_and_that_is_said_once(fake_stack):
    folder = fake_stack('2.1.0', with_drn=True)
    (folder / 'mmcv/_ext.py').write_text('def nms(): return "compiled"\n')
    out = run(
        """
        import mmanon, mmcv._ext
        from mmcv import _ext
        assert _ext.nms() == 'compiled'
        assert not hasattr(_ext, 'carafe_forward')
        assert 'mmanon' not in type(_ext.__loader__).__module__
        """,
        folder,
    )
    assert out.count("mmcv's own compiled operators are used") == 1
    assert out.count('mmanon.compat') == 1


def test_operators_compiled_against_another_pytorch_are_not_hidden(fake_stack):
    folder = fake_stack('2.1.0', with_drn=True)
    (folder / 'mmcv/_ext.py').write_text("raise ImportError('undefined symbol')\n")
    out = run(
        """
        import mmanon
        try:
            import mmcv._ext
        except ImportError as error:
            assert str(error) == 'undefined symbol'
        else:
            raise SystemExit('the failure was hidden')
        """,
        folder,
    )
    assert out == ''


def test_spawned_workers_have_the_stand_in_before_they_import_mmanon(fake_stack):
    folder = fake_stack('2.1.0', with_drn=True)
    (folder / 'mmcv/data.py').write_text(JOB_OF_OPERATORS)
    out = run(
        """
        if __name__ == '__main__':
            import mmanon
            from mmcv.data import Data
            from torch.utils.data import DataLoader
            loader = DataLoader(
                Data(), num_workers=1, multiprocessing_context='spawn'
            )
            assert [batch for batch in loader] == [['nms'], ['nms']]
        """,
        folder,
    )
    assert out.count('mmanon.compat') == 1, 'workers repeat the message'


def test_mmanon_imports_without_mmaction_and_mmdet(tmp_path):
    out = run(
        """
        import mmanon
        for package in ('mmaction', 'mmdet'):
            try:
                __import__(package)
            except ModuleNotFoundError as error:
                assert error.name == package
            else:
                raise SystemExit(package + ' is there')
        """,
        site_packages_without(tmp_path / 'site', 'mmaction', 'mmdet'),
        options=('-S',),
    )
    assert out == ''


def test_missing_pytorch_is_named(tmp_path):
    run(
        """
        import mmanon
        try:
            import mmanon.models
        except ImportError as error:
            assert 'mmanon.models, which is for training, needs PyTorch' in str(error)
            assert 'pip install "mmanon[train]"' in str(error)
        else:
            raise SystemExit('imported without PyTorch')
        """,
        site_packages_without(tmp_path / 'site', 'torch'),
        options=('-S',),
    )


def test_missing_importlib_metadata_is_named(tmp_path):
    run(
        """
        import mmanon
        try:
            import mmaction
        except ModuleNotFoundError as error:
            assert 'pip install importlib_metadata' in str(error)
        else:
            raise SystemExit('imported without importlib_metadata')
        """,
        site_packages_without(tmp_path / 'site', 'importlib_metadata'),
        options=('-S',),
    )


def test_importing_mmanon_loads_neither_pytorch_nor_mmaction():
    run(
        """
        import sys
        import mmanon
        heavy = {'torch', 'mmcv', 'mmdet', 'mmaction', 'cv2'} & set(sys.modules)
        assert not heavy, heavy
        """
    )


@pytest.mark.parametrize(
    'base, detector',
    [
        (SLOWONLY, 'FastRCNN'),
        ('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 'FasterRCNN'),
    ],
)
def test_config_inherits_from_the_installed_packages(tmp_path, base, detector):
    from mmengine import Config

    path = tmp_path / 'inherits.py'
    path.write_text(f'_base_ = {base!r}\n')
    assert Config.fromfile(path).model.type == detector


def test_detector_of_the_installed_mmaction_takes_a_loss(tmp_path):
    import torch
    from mmengine import Config
    from mmengine.registry import init_default_scope
    from mmengine.structures import InstanceData

    path = tmp_path / 'inherits.py'
    path.write_text(f'_base_ = {SLOWONLY!r}\n')
    model_cfg = Config.fromfile(path).model
    model_cfg.backbone.pretrained = None

    init_default_scope('mmaction')
    from mmaction.registry import MODELS
    from mmaction.structures import ActionDataSample

    detector = MODELS.build(model_cfg)
    sample = ActionDataSample(metainfo={'img_shape': (64, 64)})
    labels = torch.zeros(1, 81)
    labels[0, 7] = 1
    boxes = torch.tensor([[8.0, 8.0, 48.0, 56.0]])
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    sample.proposals = InstanceData(bboxes=boxes.clone())
    losses = detector.loss(torch.rand(1, 3, 4, 64, 64), [sample])
    loss = losses['loss_action_cls']
    assert torch.isfinite(loss) and loss > 0
    loss.backward()
    assert detector.backbone.conv1.conv.weight.grad.abs().sum() > 0


def test_data_sets_of_the_installed_mmdet_import():
    from mmdet.datasets import CocoDataset

    assert 'person' in CocoDataset.METAINFO['classes']


def test_two_avametrics_of_one_second_write_to_files_of_their_own(
    monkeypatch, tmp_path
):
    # mmaction2 1.2.0 names the file by the second, in the current folder.
    from mmaction.evaluation.metrics import ava_metric

    import mmanon  # noqa: F401

    ann_file = tmp_path / 'ann.csv'
    ann_file.write_text('video,2,0.1,0.1,0.9,0.9,1,0\n')
    files = []
    monkeypatch.setattr(
        ava_metric, 'results2csv', lambda r, file, c: files.append(file)
    )
    monkeypatch.setattr(ava_metric, 'ava_eval', lambda *args, **kwargs: {})
    monkeypatch.setattr(ava_metric.os, 'remove', lambda file: None)
    metric = ava_metric.AVAMetric(
        str(ann_file), str(ann_file), str(ann_file), num_classes=2
    )
    metric.compute_metrics([])
    metric.compute_metrics([])

    assert len(set(files)) == 2
    assert all(file.startswith('AVA_') for file in files)


def test_avametric_answers_for_a_class_without_ground_truth():
    # mmaction2 1.2.0 says np.NAN there, which NumPy 2 does not have.
    import numpy as np
    from mmaction.evaluation.functional.ava_evaluation import metrics

    import mmanon  # noqa: F401

    answer = metrics.compute_average_precision(None, None)

    assert np.isnan(answer)
    assert metrics.np.float32 is np.float32


@pytest.mark.parametrize(('version', 'left'), [('4.57.1', 'True'), ('5.17.0', 'False')])
def test_models_of_video_and_text_are_left_out_with_a_transformers_they_cannot_import(
    tmp_path, version, left
):
    info = tmp_path / f'transformers-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Name: transformers\nVersion: {version}\n')
    (tmp_path / 'transformers').mkdir()
    (tmp_path / 'transformers/__init__.py').write_text(f'__version__ = {version!r}\n')
    code = (
        'import mmanon, mmaction.utils.dependency as found; '
        'print("left", found.WITH_MULTIMODAL)'
    )
    said = run(code, tmp_path)
    assert f'left {left}' in said
    assert ('VindLU' in said) == (left == 'False')
