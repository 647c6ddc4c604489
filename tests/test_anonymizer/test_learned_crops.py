"""What a learned modifier is shown, and how what it draws is put back."""

import json
import math
from fractions import Fraction

import av
import numpy as np
import pytest
from made_videos import RedSquareDetector, picture, write_video

from mmanon.anonymizer import AnonymizerInferencer, MaskingOptions, inferencer
from mmanon.anonymizer.build_compositor import build_compositor
from mmanon.anonymizer.compositor import FaceCompositor
from mmanon.anonymizer.frame_compositor import composite_frame
from mmanon.anonymizer.mask_planner import FaceMask, FramePlan
from mmanon.app.words import what_was_done
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.orientation import Orientation
from mmanon.utils.resampling import gaussian_blur, sample_affine

GEOMETRY = CropGeometry(96, 0.5, 0.1)


class Learned:
    """Draws over the face box, a little beyond, and keeps what is around as it is."""

    learned = True

    def __init__(self, value=0.0, masked=()):
        self.value, self.masked, self.seen, self.calls = value, set(masked), None, 0

    def modify(self, faces, tracks):
        self.seen, self.calls = faces, self.calls + 1
        drawn = faces.copy()
        drawn[..., 21:75, 21:75] = self.value
        covered = np.array([call in self.masked for call in range(len(faces))])
        drawn[covered] = 0
        return drawn, covered


def scene(size=(640, 480), seed=0):
    image = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3))
    return gaussian_blur(image.astype(np.float32), 1.5).round().astype(np.uint8)


def mask(box, track=0, tilt=0.0, face=None):
    face = None if face is None else np.asarray(face, float)
    return FaceMask(np.asarray(box, float), track, True, 1.0, tilt, face)


def shown(image, *masks, backend=None):
    """What the modifier sees of masks, (K, 3, 96, 96)."""
    backend = backend or Learned()
    FaceCompositor(backend, GEOMETRY, 'square').apply(image.copy(), masks)
    return backend.seen


def as_trained(image, box):
    """The crop of a face box that training cuts out of a frame."""
    torch = pytest.importorskip('torch', reason='training is done in PyTorch')
    from mmanon.models.layers.face_crops import crop_faces, square_boxes

    frame = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    boxes = torch.tensor([[0, *box]], dtype=torch.float64)
    return crop_faces(frame, square_boxes(boxes, GEOMETRY.margin), 96).numpy()


GREY_LEVEL = 2 / 255  # on the scale [-1, 1]


@pytest.mark.parametrize(
    'box',
    [
        (300.4, 200.7, 324.4, 230.2),  # as small as it draws
        (300, 200, 380, 300),
        (20, -30, 580, 560),  # as large as a picture
        (-30, 180, 60, 290),  # half beyond the border
        (590, 400, 655, 490),
    ],
)
def test_the_crop_is_that_of_training_whatever_is_masked_to_be_safe(box):
    image = scene()
    safe = np.array(box) + [-4, -4, 4, 4]
    for given in (mask(box), mask(safe, face=box)):
        away = np.abs(shown(image, given) - as_trained(image, box))
        assert away.max() <= GREY_LEVEL
    # The box that is masked would have been another crop.
    assert np.abs(shown(image, mask(safe)) - as_trained(image, box)).max() > GREY_LEVEL


def test_a_face_leans_by_no_more_than_it_did_in_training():
    image, middle, box = scene(seed=1), (320.5, 240.5), (280.5, 200.5, 360.5, 280.5)
    upright = shown(image, mask(box))
    for degrees in (0, 15, -20):
        leaning = mask(box, tilt=math.radians(degrees))
        assert np.array_equal(shown(image, leaning), upright)
    for degrees in (50, -110):
        # A picture in which the head leans, and the one in which it leans by 20 less.
        rest = math.radians(degrees - math.copysign(20, degrees))
        cos, sin = np.cos(rest), np.sin(rest)
        back = np.array([[cos, sin], [-sin, cos]])
        centre = np.subtract(middle, 0.5)
        turn = np.column_stack([back, centre - back @ centre])
        turned = sample_affine(image.astype(np.float32), turn, (640, 480))
        seen = shown(
            turned.round().astype(np.uint8), mask(box, tilt=math.radians(degrees))
        )
        away = np.abs(seen - upright)[..., 8:-8, 8:-8]
        assert away.mean() < 3 * GREY_LEVEL and away.max() < 12 * GREY_LEVEL


@pytest.mark.parametrize('degrees', [0, 45, 90, 160])
def test_what_is_masked_lies_within_the_crop_even_where_the_face_jumps(degrees):
    face, box = (200, 200, 260, 260), (150, 190, 300, 270)
    backend, image = Learned(), scene()
    drawing = FaceCompositor(backend, GEOMETRY, 'square')
    leaning = mask(box, tilt=math.radians(degrees), face=face)
    (place,) = drawing.places((640, 480), [leaning])
    fade = place.fade(GEOMETRY.feather, 1.12)
    x1, y1, *_ = place.region
    assert (fade[190 - y1 : 270 - y1, 150 - x1 : 300 - x1] > 0.999).all()
    assert drawing.apply(image, [leaning]) == [place.region]


# Put back.


def is_drawn(image, box):
    x1, y1, x2, y2 = box
    return (np.abs(image[y1:y2, x1:x2].astype(int) - 128) <= 1).all()


def test_the_whole_square_is_put_back_and_fades_at_its_edge():
    class White(Learned):
        def modify(self, faces, tracks):
            return np.ones_like(faces), np.zeros(len(faces), bool)

    image, before = scene(), scene()
    build = FaceCompositor(White(), GEOMETRY, 'square')
    build.apply(image, [mask((300, 200, 380, 280))])
    # 160 pixels wide, of which the outermost 16 fade.
    assert (image[176:304, 276:404] == 255).all()
    assert np.array_equal(image[:160], before[:160])
    assert (image[161, 300:380] < 255).any() and (image[168, 300:380] < 255).any()


@pytest.mark.parametrize(
    'second',
    [
        (370, 210, 450, 290),  # cheek to cheek
        (330, 130, 410, 205),  # above
        (345, 215, 372, 242),  # a small face behind a large one's shoulder
        (430, 230, 456, 256),
    ],
)
@pytest.mark.parametrize('shape', ['square', 'ellipse'])
def test_the_crop_of_one_face_does_not_bring_back_its_neighbour(second, shape):
    first = (280, 200, 365, 285)
    for order in ((first, second), (second, first)):
        image = scene()
        masks = [mask(box, track) for track, box in enumerate(order)]
        FaceCompositor(Learned(), GEOMETRY, shape).apply(image, masks)
        for box in order:
            if shape == 'square':
                assert is_drawn(image, box)
            else:
                middle = np.add(box[:2], box[2:]) / 2
                half = np.subtract(box[2:], box[:2]) / 2
                y, x = np.ogrid[:480, :640]
                inside = np.hypot(
                    (x + 0.5 - middle[0]) / half[0], (y + 0.5 - middle[1]) / half[1]
                )
                seen = image[inside < 0.95].astype(int)
                assert (np.abs(seen - 128) <= 1).all()


def test_faces_of_a_video_frame_are_drawn_at_once_and_spare_each_other():
    boxes = [(20, 20, 60, 60), (62, 24, 100, 64), (200, 150, 240, 190)]
    made = av.VideoFrame.from_ndarray(scene((320, 240)), 'rgb24')
    made = made.reformat(format='yuv444p')
    made.pts, made.time_base = 3, Fraction(1, 25)
    backend = Learned()
    plan = FramePlan(made, False, [mask(box, n) for n, box in enumerate(boxes)])
    drawing = FaceCompositor(backend, GEOMETRY, 'square')
    after = composite_frame(plan, Orientation(), drawing, 'yuv444p')
    image = after.to_ndarray(format='rgb24').astype(int)
    assert backend.calls == 1 and len(backend.seen) == 3
    for x1, y1, x2, y2 in boxes:
        assert np.abs(image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] - 128).max() <= 4


# What it does not draw.


def test_small_faces_get_the_default_look_and_a_track_does_not_flicker():
    image, backend = scene(), Learned()
    drawing = FaceCompositor(backend, GEOMETRY, 'square')
    drawing.begin('a.mp4')
    for side, drawn in ((23, 0), (25, 1), (21, 1), (19, 0), (23, 0)):
        backend.calls, after = 0, image.copy()
        face = (300, 200, 300 + side, 200 + side)
        drawing.apply(after, [mask(face, track=3)])
        assert backend.calls == drawn
        # Nothing of the face is left, in either way.
        middle = np.s_[203 : 197 + side, 303 : 297 + side]
        left = after[middle].astype(int), image[middle].astype(int)
        rough = [np.abs(np.diff(one, axis=1)).mean() for one in left]
        assert rough[0] < 0.35 * rough[1]
    assert drawing.covers == {'too small': 3}
    plain = image.copy()
    default = build_compositor(MaskingOptions())
    default.apply(plain, [mask((300, 200, 323, 223))])
    small = image.copy()
    drawing.apply(small, [mask((300, 200, 323, 223))])
    assert np.array_equal(small, plain)


def test_what_it_lets_through_is_masked_by_an_ellipse_and_counted():
    image, before = scene(), scene()
    drawing = FaceCompositor(Learned(masked=[0]), GEOMETRY, 'square')
    drawing.begin('a.png')
    drawing.apply(image, [mask((300, 200, 380, 280))])
    assert drawing.covers == {'let through': 1} and drawing.masked == 1
    assert is_drawn(image, (315, 215, 365, 265))
    assert np.array_equal(image[170:185, 290:390], before[170:185, 290:390])
    drawing.begin('b.png')
    assert not drawing.covers


def test_a_learned_modifier_is_put_back_as_a_square_and_others_as_an_ellipse(stranger):
    for modifier, shape in (
        (stranger, 'square'),
        ('blur', 'ellipse'),
        (None, 'ellipse'),
    ):
        assert build_compositor(MaskingOptions(modifier)).shape == shape
    chosen = MaskingOptions(stranger, shape='ellipse')
    assert build_compositor(chosen).shape == 'ellipse'


@pytest.mark.parametrize('kind', ['pth', 'onnx'])
def test_files_say_whether_they_have_learned(named_folder, kind, tmp_path):
    learned = MaskingOptions(named_folder / f'stranger.{kind}')
    assert build_compositor(learned).shape == 'square'
    from mmanon.anonymizer.backends.onnx_modifier import export_modifier
    from mmanon.models.modifiers import DownsampleModifier

    if kind == 'onnx':
        export_modifier(DownsampleModifier(4), GEOMETRY, tmp_path / 'm.onnx')
        plain = MaskingOptions(tmp_path / 'm.onnx')
    else:
        plain = MaskingOptions('mmanon.DownsampleModifier')
    assert build_compositor(plain).shape == 'ellipse'


def test_the_report_tells_of_faces_that_were_covered_and_not_drawn(
    stranger, monkeypatch, tmp_path
):
    monkeypatch.setattr(inferencer, 'build_detector', lambda *_: RedSquareDetector())
    clip = write_video(tmp_path / 'clip.mp4', [picture(t) for t in range(6)])
    anonymize = AnonymizerInferencer(stranger)
    (result,) = anonymize(clip, out_dir=tmp_path / 'out', report=tmp_path)
    told = json.loads((tmp_path / 'clip.mp4.json').read_text())
    # The red square is 16 pixels wide.
    assert told['covered_instead_of_drawn'] == {'too small': 6}
    assert '6 faces are covered but not drawn' in what_was_done(result)
