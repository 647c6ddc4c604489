import sys

import numpy as np
import pytest

from mmanon.anonymizer.backends.base import build_backend
from mmanon.structures.crop_geometry import CropGeometry


def test_the_default_leaves_sixteen_mean_colours_and_smooth_between_them():
    backend, geometry = build_backend()
    assert geometry == CropGeometry(crop_size=32)
    face = np.random.default_rng(0).uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32)
    drawn, masked = backend.modify(face, [0])
    assert not masked.any()
    # What two faces of the same sixteen means have beside is gone.
    cells = face.reshape(1, 3, 4, 16, 4, 16).mean((3, 5))
    coarse, _ = backend.modify(cells.repeat(16, 2).repeat(16, 3), [0])
    assert np.abs(drawn - coarse).max() < 1e-5
    assert np.abs(np.diff(drawn, axis=-1)).max() < 0.1


@pytest.mark.parametrize(
    ('name', 'color'),
    [('grey', (0, 0, 0)), ('black', (-1, -1, -1)), ('green', (-1, 1, -1))],
)
def test_one_colour_is_asked_for_by_its_name(name, color):
    backend, _ = build_backend(name)
    drawn, _ = backend.modify(np.zeros((1, 3, 2, 2), np.float32), [0])
    assert (drawn[0, :, 0, 0] == color).all()


def test_weights_alone_are_refused():
    with pytest.raises(ValueError, match='need the name of their modifier'):
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
