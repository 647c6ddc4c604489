import sys

import pytest

from mmanon.anonymizer.backends.base import build_backend
from mmanon.structures.crop_geometry import CropGeometry


def test_the_default_is_grey_and_says_that_it_is_the_default(monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmanon.anonymizer.backends.base.print_log',
        lambda message, **_: said.append(message),
    )
    assert build_backend() == (None, CropGeometry())
    assert 'grey' in said[0] and 'no download' in said[0]
    with pytest.raises(ValueError, match='name the modifier'):
        build_backend(weights='m.pth')


def test_without_pytorch_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'torch', None)
    (tmp_path / 'm.pth').touch()
    for modifier in ('GaussianNoiseModifier', str(tmp_path / 'm.pth')):
        with pytest.raises(ImportError) as caught:
            build_backend(modifier)
        said = str(caught.value)
        assert said.startswith(f'modifier {modifier}')
        assert said.endswith('not installed: pip install "mmanon[train]"')
