"""Names that a release had are there in the next one, at least as an alias."""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

BEFORE = json.loads(Path(__file__).with_name('public_names.json').read_text())


@pytest.mark.parametrize('module', BEFORE)
def test_every_public_name_of_the_version_before_is_still_there(module: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        there = import_module(module)
        missing = [name for name in BEFORE[module] if not hasattr(there, name)]
    assert not missing


def test_an_old_module_says_where_it_is_now() -> None:
    sys.modules.pop('mmanon.apis.whole_files', None)
    with pytest.warns(DeprecationWarning, match='mmanon.utils.atomic_write now'):
        old = import_module('mmanon.apis.whole_files')
    assert old.written_whole is import_module('mmanon.utils.atomic_write').written_whole
