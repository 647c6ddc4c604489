"""The OpenMMLab stack is prepared when it is imported, and not before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = """
import sys
from importlib.util import find_spec
import mmanon
for name in ('mmaction', 'mmengine', 'mmcv', 'mmdet'):
    assert find_spec(name)
assert not {'torch', 'mmengine'} & set(sys.modules), 'asking has imported'
import FIRST
from mmengine.config.utils import MODULE2PACKAGE
assert 'mmanon' in MODULE2PACKAGE, 'not prepared'
assert FIRST.__spec__.loader is FIRST.__loader__
assert not [one for one in sys.meta_path if type(one).__module__ == 'mmanon._game']
"""


@pytest.mark.parametrize('first', ['mmengine', 'mmaction'])
def test_asking_whether_the_stack_is_there_does_not_stop_its_preparation(first):
    """mmaction refuses the installed mmcv where it was not prepared."""
    done = subprocess.run(
        [sys.executable, '-c', CODE.replace('FIRST', first)],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
