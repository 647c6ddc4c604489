from dataclasses import dataclass

import numpy as np
import pytest

from mmanon.tracking.scene_cuts import thumbnail, with_cuts


@dataclass
class Frame:
    thumbnail: np.ndarray


def cuts(*scenes):
    frames = [
        Frame(
            thumbnail(np.random.default_rng(one).integers(0, 255, (48, 64), np.uint8))
        )
        for one in scenes
    ]
    return [place for place, (_, cut) in enumerate(with_cuts(frames)) if cut]


def test_a_new_scene_begins_where_nothing_is_as_before():
    assert cuts(0, 0, 0, 1, 1, 1) == [3]
    assert cuts(0, 0, 0) == cuts() == []


@pytest.mark.parametrize('flash', [(7,), (7, 7), (7, 8)])
def test_a_flash_is_no_cut(flash):
    assert cuts(0, 0, 0, *flash, 0, 0, 0) == []


def test_a_thumbnail_does_not_know_brightness():
    picture = np.random.default_rng(0).integers(0, 120, (90, 160), np.uint8)
    assert (thumbnail(picture) * thumbnail(2 * picture)).sum() > 0.99
    flat = thumbnail(np.full((90, 160), 70, np.uint8))
    assert np.abs(flat).max() == 0
