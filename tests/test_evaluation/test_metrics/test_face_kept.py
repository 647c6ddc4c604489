"""Faces that are found again after they were redrawn."""

import numpy as np
import pytest
import torch

from mmanon.evaluation import FaceKeptMetric, find_again
from mmanon.evaluation.metrics import prepare_face_metrics
from mmanon.face_detectors import BaseFaceDetector
from mmanon.registry import MODELS


@MODELS.register_module()
class BlockDetector(BaseFaceDetector):
    """Finds a bright block; its landmarks are fixed places of it."""

    def _detect(self, image):
        rows, columns = np.nonzero(image.max(2) > 128)
        if not len(rows):
            empty = np.zeros((0, 4), np.float32)
            return empty, np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        low = np.array([columns.min(), rows.min()])
        high = np.array([columns.max() + 1, rows.max() + 1])
        parts = np.array(
            [(0.25, 0.25), (0.75, 0.25), (0.5, 0.5), (0.3, 0.8), (0.7, 0.8)]
        )
        marks = (low + parts * (high - low))[None].astype(np.float32)
        box = np.concatenate([low, high])[None].astype(np.float32)
        return box, np.ones(1, np.float32), marks


def block(left, side=32, size=64):
    face = -torch.ones(1, 3, size, size)
    face[:, :, 16 : 16 + side, left : left + side] = 1
    return face


def test_a_face_that_moves_a_little_is_found_and_its_landmarks_with_it():
    ((seen, found, distance),) = find_again(block(16), block(18), BlockDetector())
    assert seen and found
    # Two of 64 pixels; the eyes are half of 32 apart.
    assert distance == pytest.approx(2 / 16, abs=0.03)


def test_a_face_elsewhere_is_another_one_and_none_is_none():
    elsewhere, gone, nobody = find_again(
        torch.cat([block(16), block(16), -torch.ones(1, 3, 64, 64)]),
        torch.cat([block(0, 12), -torch.ones(1, 3, 64, 64), block(16)]),
        BlockDetector(),
    )
    assert elsewhere.seen and not elsewhere.found
    assert gone.seen and not gone.found and np.isnan(gone.distance)
    assert not nobody.seen


class Model:
    """Lets the first faces through and blackens the last."""

    crop_size, margin, discriminator, training = 64, 0.5, None, False

    def redraw_or_cover(self, faces):
        drawn = faces.clone()
        drawn[-1] = -1
        covered = torch.zeros(len(faces), dtype=torch.bool)
        covered[-1] = True
        return drawn, covered

    def redraw_faces(self, faces):
        return self.redraw_or_cover(faces)[0]

    def train(self, mode=True):
        return self


def faces(root, blocks):
    import cv2

    for number, left in enumerate(blocks):
        folder = root / f'p{number}'
        folder.mkdir(parents=True)
        pixels = (block(left)[0].permute(1, 2, 0).numpy() + 1) * 127.5
        cv2.imwrite(str(folder / '0.png'), pixels.round().astype(np.uint8))
    return dict(type='mmanon.FaceIdentityDataset', data_root=str(root))


def test_the_metric_counts_over_all_faces(tmp_path):
    people = faces(tmp_path / 'people', [14, 16, 18, 20])
    metric = FaceKeptMetric(people, dict(type='mmanon.BlockDetector'))
    prepare_face_metrics([metric], Model(), torch.device('cpu'))
    metric.process({}, [])
    figures = metric.evaluate(1)
    assert figures['kept/found_again'] == 0.75 and figures['kept/covered'] == 0.25
    assert figures['kept/landmarks'] == 0 and figures['kept/faces'] == 4


def test_a_detector_that_knows_no_face_is_told(tmp_path):
    people = faces(tmp_path / 'people', [64, 64])
    metric = FaceKeptMetric(people, dict(type='mmanon.BlockDetector'))
    prepare_face_metrics([metric], Model(), torch.device('cpu'))
    metric.process({}, [])
    with pytest.raises(ValueError, match='finds none of the 2 original faces'):
        metric.evaluate(1)
