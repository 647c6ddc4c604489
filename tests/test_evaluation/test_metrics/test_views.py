"""Face metrics in the views that a config names."""

import cv2
import numpy as np
import pytest
import torch

from mmanon.evaluation import (
    FaceIdentificationMetric,
    FaceQualityMetric,
    FaceVerificationMetric,
    prepare_face_metrics,
)
from mmanon.models.attackers import MarginPixelRecognizer
from mmanon.models.layers.face_views import FaceView
from mmanon.registry import MODELS

PEOPLE, IMAGES = 4, 3
PIXELS = dict(type='mmanon.MarginPixelRecognizer', size=16)


@pytest.fixture(scope='module')
def wide(tmp_path_factory):
    """Crops of margin 1: noise in the face box, a pattern of each person around."""
    root = tmp_path_factory.mktemp('wide')
    for person in range(PEOPLE):
        random = np.random.default_rng(person)
        around = random.integers(0, 256, (12, 12, 3)).astype(np.uint8)
        around = cv2.resize(around, (96, 96), interpolation=cv2.INTER_NEAREST)
        (root / f'person{person}').mkdir()
        for number in range(IMAGES):
            image = around.copy()
            image[32:64, 32:64] = random.integers(0, 256, (32, 32, 3))
            cv2.imwrite(str(root / f'person{person}' / f'{number}.png'), image)
    return dict(
        type='mmanon.FaceIdentityDataset', data_root=str(root), image_margin=1.0
    )


class Redrawer(torch.nn.Module):
    """What metrics need of a model that covers its crops, of a quarter around a box."""

    crop_size, margin, feather = 48, 0.25, 0.0
    discriminator = None

    def redraw_faces(self, faces):
        assert faces.shape[1:] == (3, 48, 48)
        return torch.zeros_like(faces)


def measure(*metrics):
    prepare_face_metrics(metrics, Redrawer(), torch.device('cpu'))
    figures = {}
    for metric in metrics:
        metric.process(None, [])
        figures |= metric.evaluate(size=1)
    return figures


def test_what_a_mask_leaves_around_is_seen_in_the_wider_view_alone(wide):
    shared = dict(dataset=wide, recognizer=PIXELS)
    figures = measure(
        FaceVerificationMetric(**shared, view='crop'),
        FaceVerificationMetric(**shared, view='head', head_margin=0.9),
        FaceIdentificationMetric(**shared, view='head', head_margin=0.9, ranks=[1]),
    )

    # The mask covers all of the crop.
    crop, head = (f'marginpixelrecognizer-{view}' for view in ('crop', 'head'))
    assert figures[f'{crop}/original_original/eer'] < 0.05
    assert figures[f'{crop}/modified_modified/eer'] == 0.5
    # Of the frame nothing else is changed.
    assert figures[f'{head}/modified_modified/eer'] == 0
    assert figures[f'{head}/modified_original/rank1'] == 1


def test_a_recognizer_without_views_is_shown_the_whole_image(wide, monkeypatch):
    built = []
    build = MODELS.build
    monkeypatch.setattr(MODELS, 'build', lambda cfg: built.append(cfg) or build(cfg))
    for view in ('face', 'crop', 'head'):
        metric = FaceVerificationMetric(
            wide, dict(PLAIN), view=view, head_margin=0.75, prefix=view
        )
        measure(metric)
    margins = [cfg['margin'] for cfg in built if cfg['type'] == PLAIN['type']]
    assert margins == [0.25, 0.0, 0.0]


@MODELS.register_module()
class PlainOfViews(torch.nn.Module):
    """A recognizer that knows of no views."""

    def __init__(self, margin):
        super().__init__()

    def init_weights(self):
        pass

    def embed(self, faces):
        return faces.mean((2, 3))


PLAIN = dict(type='mmanon.PlainOfViews')


def test_each_view_is_a_pass_of_its_own_and_one_pass_for_both_that_share_images(wide):
    redrawn = []

    class Counting(Redrawer):
        def redraw_faces(self, faces):
            redrawn.append(len(faces))
            return super().redraw_faces(faces)

    metrics = [
        FaceVerificationMetric(wide, PLAIN, view='face', prefix='a'),
        FaceVerificationMetric(wide, PLAIN, view='crop', prefix='b'),
        FaceQualityMetric(wide),
        FaceQualityMetric(wide, view='head', prefix='head'),
    ]
    prepare_face_metrics(metrics, Counting(), torch.device('cpu'))
    figures = {}
    for metric in metrics:
        metric.process(None, [])
        figures |= metric.evaluate(size=1)
    assert sum(redrawn) == 2 * PEOPLE * IMAGES
    # The frame around the crop is as it was.
    change = 'mean_absolute_change'
    assert figures[f'head/{change}'] < figures[f'face_quality/{change}']


def test_figures_of_the_face_box_keep_their_names(wide):
    names = measure(FaceVerificationMetric(wide, PLAIN))
    assert all(name.startswith('plainofviews/') for name in names)


def test_what_cannot_be_looked_at_is_refused(wide):
    with pytest.raises(ValueError, match="view must be one of .* got 'hair'"):
        FaceQualityMetric(wide, view='hair')
    with pytest.raises(ValueError, match="leave out view='crop'"):
        FaceVerificationMetric(wide, 'discriminator', view='crop')
    narrow = {key: wide[key] for key in ('type', 'data_root')}
    metric = FaceVerificationMetric(narrow, PLAIN, view='head')
    with pytest.raises(ValueError, match='`detector`, or wider crops'):
        measure(metric)
    with pytest.raises(ValueError, match="view 'face' shows no margin"):
        measure(FaceVerificationMetric(wide, PIXELS, view='face'))
    with pytest.raises(
        ValueError, match='image_margin=0.1 is for images .* margin=0.25'
    ):
        measure(FaceQualityMetric(dict(wide, image_margin=0.1)))


def test_margin_pixels_look_at_the_margin_alone():
    recognizer = MarginPixelRecognizer(size=20, margin=0.5)
    images = torch.rand(2, 3, 40, 40)
    images[1] = images[0]
    images[1, :, 10:30, 10:30] = 0
    first, second = recognizer.embed(images)
    assert torch.equal(first, second)
    images[1, :, :5] = 0
    first, second = recognizer.embed(images)
    assert not torch.equal(first, second)
    assert not recognizer.embed(torch.full((1, 3, 40, 40), 0.3)).any()
    with pytest.raises(ValueError, match='no pixel outside the face box'):
        MarginPixelRecognizer(size=20, margin=0.0)


def test_margin_pixels_take_the_true_margin_of_the_images():
    view = FaceView('head', 48, 0.25, 0.5)
    assert MarginPixelRecognizer.margin_in(view) == view.image_margin > 0.25
