from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmanon.datasets.portraits import PortraitDataset
from mmanon.face_detectors.base import BaseFaceDetector
from mmanon.registry import MODELS


@MODELS.register_module(force=True)
class DotDetector(BaseFaceDetector):
    """Finds a face about each white dot; landmarks are around it."""

    def _detect(self, image):
        rows, columns = np.nonzero(image.min(2) > 200)
        middles = np.stack([columns, rows], 1).astype(np.float32)
        boxes = np.concatenate([middles - 8, middles + 8], 1)
        around = np.array([[-4, -4], [4, -4], [0, 0], [-3, 4], [3, 4]], np.float32)
        return boxes, np.ones(len(middles)), middles[:, None] + around


def draw(folder: Path, person: str, *dots: tuple[int, int]) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    for x, y in dots:
        image[y, x] = 255
    (folder / person).mkdir(parents=True)
    cv2.imwrite(str(folder / person / 'face.png'), image)


def build(folder: Path, **kwargs) -> PortraitDataset:
    return PortraitDataset(
        folder, dict(type='mmanon.DotDetector'), crop_size=64, **kwargs
    )


def test_a_portrait_has_the_landmarks_of_its_middle_face_in_parts_of_the_side(tmp_path):
    draw(tmp_path, 'one', (30, 33), (5, 5))
    [portrait] = list(build(tmp_path))

    assert portrait['image'].shape == (3, 64, 64)
    assert portrait['image'][:, 33, 30].min() == 255
    wanted = (np.array([30, 33]) + 0.5) / 64
    assert portrait['landmarks'][2].numpy() == pytest.approx(wanted)
    assert portrait['landmarks'][0, 0] < portrait['landmarks'][1, 0]
    assert portrait['opacity'].shape == (1, 64, 64)


def test_portraits_without_a_face_are_left_out_and_the_others_keep_their_people(
    tmp_path,
):
    draw(tmp_path, 'a', (32, 32))
    draw(tmp_path, 'b')
    draw(tmp_path, 'c', (20, 32))
    portraits = list(build(tmp_path))

    assert [portrait['label'] for portrait in portraits] == [0, 2]
    assert portraits[1]['image'][0, 32, 20] == 255


def test_portraits_without_any_face_are_refused(tmp_path):
    draw(tmp_path, 'a')
    with pytest.raises(ValueError, match='no face'):
        build(tmp_path)


def test_a_portrait_comes_with_a_thing_to_hold_before_it_when_asked(tmp_path):
    draw(tmp_path, 'one', (32, 32))
    assert 'thing' not in build(tmp_path)[0]

    torch.manual_seed(0)
    portraits = build(tmp_path, things=20)
    things = [portraits[0]['thing'] for _ in range(8)]
    assert {(thing.shape, thing.dtype) for thing in things} == {
        ((4, 128, 128), torch.uint8)
    }
    assert len({thing.numpy().tobytes() for thing in things}) > 1
    for thing in things:
        covered = (thing[3] > 127).float().mean()
        assert 0.005 < covered < 0.6
