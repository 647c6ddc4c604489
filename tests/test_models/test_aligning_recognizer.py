"""The recognizer that finds and aligns faces itself."""

import numpy as np
import pytest
import torch
from tiny import tiny_discriminator

from mmanon.face_detectors import BaseFaceDetector, FaceDetections
from mmanon.models.attackers import AligningRecognizer
from mmanon.models.layers.face_views import FaceView
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE


@MODELS.register_module()
class SpotDetector(BaseFaceDetector):
    """Finds the face whose five landmarks are the five brightest spots."""

    calls = 0

    def _detect(self, image):
        type(self).calls += 1
        bright = image.max(2) > 200
        if not bright.any():
            empty = np.zeros((0, 4), np.float32)
            return empty, np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        rows, columns = np.nonzero(bright)
        middle = np.array([columns.mean(), rows.mean()])
        template = TEMPLATE - TEMPLATE.mean(0)
        marks = (template * 0.5 + middle)[None].astype(np.float32)
        box = np.concatenate([middle - 40, middle + 40])[None].astype(np.float32)
        return box, np.ones(1, np.float32), marks


def aligning(**kwargs):
    torch.manual_seed(0)
    recognizer = {**tiny_discriminator(None), 'head': None}
    return AligningRecognizer(
        recognizer, dict(type='mmanon.SpotDetector'), **kwargs
    ).eval()


def spot(x, y, size=128):
    """A bright spot with a pattern about it that moves along."""
    place = torch.arange(size).float()
    away = ((place[None] - x) ** 2 + (place[:, None] - y) ** 2).sqrt()
    pattern = torch.sin(away / 6) * 0.4 - 0.3
    pattern[away < 4] = 1.0
    return pattern.expand(1, 3, -1, -1).contiguous()


def test_where_a_face_is_in_its_crop_makes_no_difference():
    knows = aligning()
    with torch.no_grad():
        here, there = (knows.embed(spot(*at)) for at in ((64, 64), (72, 56)))
        unaligned = [knows.recognizer.embed(spot(*at)) for at in ((64, 64), (72, 56))]
    moved = (here - there).norm() / here.norm()
    plain = (unaligned[0] - unaligned[1]).norm() / unaligned[0].norm()
    assert moved < 0.2 * plain


def test_landmarks_are_looked_for_once_in_a_picture():
    knows, faces = aligning(), torch.cat([spot(64, 64), spot(60, 60)])
    SpotDetector.calls = 0
    knows.landmarks(faces)
    knows.landmarks(faces)
    assert SpotDetector.calls == 2


def test_without_a_face_the_box_is_taken():
    margin = 0.5
    found = aligning(margin=margin).landmarks(-torch.ones(1, 3, 32, 32))[0]
    box = found * (1 + 2 * margin) - margin
    expected = (TEMPLATE + 0.5) / TEMPLATE_SIDE
    assert np.allclose(box.numpy(), expected, atol=1e-6)


def test_gradients_reach_the_faces_and_none_are_needed_of_none():
    knows, faces = aligning(), spot(64, 64).requires_grad_()
    knows.embed(faces).sum().backward()
    assert faces.grad.abs().sum() > 0
    assert knows.embed(faces[:0]).shape[0] == 0


@pytest.mark.parametrize('name', ['face', 'crop'])
def test_it_is_told_the_margin_of_what_it_is_shown(name):
    assert AligningRecognizer.margin_in(FaceView(name, 128, 0.4)) == 0.4


def test_detections_are_of_the_kind_that_detectors_give():
    found = SpotDetector().detect(np.zeros((64, 64, 3), np.uint8))
    assert isinstance(found, FaceDetections) and not len(found)
