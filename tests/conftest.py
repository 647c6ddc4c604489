import logging
import os
from pathlib import Path

import pytest

# One thread for each process of the tests, and for those that tests start; OpenMP reads
# it when PyTorch is imported. Where MKL's number differs PyTorch goes by that.
os.environ['MKL_NUM_THREADS'] = os.environ.setdefault('OMP_NUM_THREADS', '1')

try:
    from mmengine.registry import DefaultScope
except ImportError:  # what anonymizes is tested without it, too
    DefaultScope = None
else:
    import mmanon  # noqa: F401  (makes the stack importable for every test)


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """The folder of photographs, clips and weights that only a checkout beside has."""
    named = os.environ.get('MMANON_SHARED_DATA')
    path = Path(named or Path(__file__).parents[2] / 'shared' / 'data')
    if not path.is_dir():
        pytest.skip(f'no shared data at {path}; name it by MMANON_SHARED_DATA')
    return path


@pytest.fixture(scope='session')
def named_folder(tmp_path_factory) -> Path:
    """A folder with the files of a modifier that is called ``stranger``."""
    pytest.importorskip('mmengine', reason='a modifier is made to be exported')
    from named_modifier import write_named

    folder = tmp_path_factory.mktemp('named')
    write_named(folder)
    return folder


@pytest.fixture
def stranger(named_folder, monkeypatch) -> str:
    """The name of that modifier, which can be found, and no other one."""
    monkeypatch.setattr('mmanon.shipped._HERE', named_folder)
    monkeypatch.setenv('MMANON_MODIFIERS', str(named_folder))
    return 'stranger'


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """What is kept for a user stays out of the home of who runs the tests."""
    folder = tmp_path_factory.mktemp('cache')
    monkeypatch.setenv('XDG_CACHE_HOME', str(folder))
    return folder / 'mmanon'


@pytest.fixture(autouse=True)
def no_default_scope_is_left_behind():
    """A runner or a config sets where names are looked up, for all that follows."""
    yield
    if DefaultScope is not None:
        DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True)
def no_handler_is_left_behind():
    """A command writes its messages to the standard output of the test that ran it."""
    yield
    logging.getLogger('mmanon').handlers.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Names of files that are no text cannot be sent from one process to another."""
    report = yield
    report.sections = [
        (title, text.encode('utf-8', 'backslashreplace').decode())
        for title, text in report.sections
    ]
    return report
