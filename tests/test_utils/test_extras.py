import sys

import pytest

from mmanon.utils.extras import require


def test_what_is_installed_is_let_through() -> None:
    require('a picture', ['numpy', 'av'], 'none')


def test_one_sentence_says_what_is_missing_and_what_to_install() -> None:
    with pytest.raises(ImportError) as caught:
        require('the modifier x', ['numpy', 'no_such_module'], 'train')
    assert str(caught.value) == (
        'the modifier x needs no_such_module, which is not installed: '
        'pip install "mmanon[train]"'
    )


def test_packages_are_called_what_people_call_them(monkeypatch) -> None:
    for module in ('torch', 'mmengine'):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(ImportError, match='needs PyTorch and MMEngine, which are not'):
        require('training', ['torch', 'mmengine'], 'train')


def test_nothing_is_imported() -> None:
    # A module of the standard library that nothing else here uses.
    sys.modules.pop('this', None)
    require('poetry', 'this', 'none')
    assert 'this' not in sys.modules
