import cv2
import numpy as np
import pytest
import torch

from mmanon.anonymizer.backends.base import ModifierDrawer, build_drawer
from mmanon.anonymizer.backends.torch_modifier import build_modifier
from mmanon.anonymizer.compositor import FaceRedrawer
from mmanon.anonymizer.mask_planner import Cover
from mmanon.models.layers.face_crops import crop_faces, paste_faces, square_boxes
from mmanon.models.modifiers import (
    GaussianNoiseModifier,
    IdentityModifier,
    ResNetModifier,
    SolidMaskModifier,
)
from mmanon.structures.crop_geometry import CropGeometry

BOX = np.array([40.0, 30.0, 60.0, 56.0])


def noise(shape=(100, 120, 3)):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def cover(box=BOX, track=0):
    return Cover(np.asarray(box, float), track, True, 1.0)


def redrawer(modifier, feather=0.05, shape='square', align=False, **kwargs):
    drawer = None if modifier is None else ModifierDrawer(modifier, 0.3, **kwargs)
    return FaceRedrawer(drawer, CropGeometry(64, 0.3, feather), shape, align)


@pytest.mark.parametrize('shape', ['square', 'ellipse'])
@pytest.mark.parametrize('modifier', [None, SolidMaskModifier()])
def test_the_face_box_is_covered_whole_and_what_is_far_untouched(shape, modifier):
    image, before = noise(), noise()
    (region,) = redrawer(modifier, shape=shape).redraw(image, [cover()])
    assert (np.abs(image[30:56, 40:60].astype(int) - 128) <= 1).all()
    x1, y1, x2, y2 = region
    inside = np.zeros((100, 120), bool)
    inside[y1:y2, x1:x2] = True
    assert np.array_equal(image[~inside], before[~inside])
    corner = np.abs(image[y1 + 1, x1 + 1].astype(int) - before[y1 + 1, x1 + 1]).max()
    assert (corner == 0) == (shape == 'ellipse')


@pytest.mark.parametrize('shape', ['square', 'ellipse'])
def test_an_edge_that_would_show_the_face_is_refused(shape):
    with pytest.raises(ValueError, match='show through'):
        redrawer(SolidMaskModifier(), feather=0.3, shape=shape)


class Spy:
    """Keeps what it is shown, and draws it as it is."""

    def draw(self, faces, tracks):
        self.seen = faces
        return faces, np.zeros(len(faces), bool)


def smooth(shape=(200, 220, 3)):
    return cv2.GaussianBlur(noise(shape), (0, 0), 4)


def leaning(tilt, box=(80, 70, 120, 122)):
    return Cover(np.array(box, float), 0, True, 1.0, tilt)


@pytest.mark.parametrize('shape', ['square', 'ellipse'])
@pytest.mark.parametrize('tilt', [0.3, -0.8, np.pi / 4, 3.0])
def test_a_crop_that_leans_covers_the_face_box_and_stays_in_its_region(tilt, shape):
    image = smooth()
    aligned = redrawer(SolidMaskModifier(), shape=shape, align=True)
    (region,) = aligned.redraw(image, [leaning(tilt)])
    assert (np.abs(image[70:122, 80:120].astype(int) - 128) <= 1).all()
    x1, y1, x2, y2 = region
    image[y1:y2, x1:x2] = smooth()[y1:y2, x1:x2]
    assert np.array_equal(image, smooth())


@pytest.mark.parametrize('side', [40, 160])
def test_the_drawer_sees_a_leaning_face_upright(side):
    # A picture and the same one turned about the middle of the face.
    tilt, middle = 0.4, (150, 140)
    upright = cv2.GaussianBlur(noise((280, 300, 3)), (0, 0), 6)
    turn = cv2.getRotationMatrix2D(middle, -np.degrees(tilt), 1)
    turned = cv2.warpAffine(upright, turn, (300, 280), borderMode=cv2.BORDER_REPLICATE)
    # In numbers of pixels and not of their middles, as warpAffine counts.
    box = np.concatenate(
        [np.add(middle, 0.5) - side / 2, np.add(middle, 0.5) + side / 2]
    )
    seen = []
    for image, cover_ in ((upright, leaning(0, box)), (turned, leaning(tilt, box))):
        spy = Spy()
        geometry = CropGeometry(32, 0.25, 0.02)
        FaceRedrawer(spy, geometry, 'ellipse', True).redraw(image, [cover_])
        seen.append(spy.seen[0])
    middle_part = np.s_[:, 4:-4, 4:-4]
    difference = np.abs(seen[0] - seen[1])[middle_part]
    assert difference.mean() < 0.01 and difference.max() < 0.06
    # Not so without alignment.
    spy = Spy()
    FaceRedrawer(spy, CropGeometry(32, 0.25, 0.02)).redraw(turned, [leaning(tilt, box)])
    lying = np.abs(spy.seen[0] - seen[0])[middle_part]
    assert lying.mean() > 5 * difference.mean()


def test_a_leaning_face_that_is_not_changed_comes_back_in_its_place():
    image = smooth()
    geometry = CropGeometry(64, 0.3, 0.05)
    FaceRedrawer(Spy(), geometry, align=True).redraw(image, [leaning(0.5)])
    away = np.abs(image.astype(int) - smooth())
    assert away.mean() < 0.5 and away.max() < 12


def test_without_being_asked_no_crop_leans():
    one, other = smooth(), smooth()
    FaceRedrawer(Spy(), CropGeometry(64, 0.3, 0.05)).redraw(one, [leaning(0.5)])
    FaceRedrawer(Spy(), CropGeometry(64, 0.3, 0.05)).redraw(other, [leaning(0.0)])
    assert np.array_equal(one, other)


def test_an_edge_that_would_show_the_face_when_it_leans_is_refused():
    redrawer(SolidMaskModifier(), feather=0.1)
    with pytest.raises(ValueError, match='show through'):
        redrawer(SolidMaskModifier(), feather=0.1, align=True)


@pytest.mark.parametrize(
    'box', [[-20, -10, 15, 12], [100, 80, 140, 120], [-50, -50, 200, 200]]
)
def test_faces_beyond_the_edge_are_covered_as_far_as_they_show(box):
    image = noise()
    redrawer(SolidMaskModifier()).redraw(image, [cover(box)])
    x1, y1, x2, y2 = np.clip(box, 0, [120, 100, 120, 100])
    assert (np.abs(image[y1:y2, x1:x2].astype(int) - 128) <= 1).all()


def test_nothing_happens_where_no_face_meets_the_picture():
    image = noise()
    assert redrawer(SolidMaskModifier()).redraw(image, []) == []
    assert redrawer(SolidMaskModifier()).redraw(image, [cover(BOX + 500)]) == []
    assert np.array_equal(image, noise())


def test_a_face_larger_than_any_window_is_covered():
    image = np.full((2500, 2400, 3), 200, np.uint8)
    redrawer(SolidMaskModifier()).redraw(image, [cover([300, 300, 2100, 2200])])
    assert (np.abs(image[300:2200, 300:2100].astype(int) - 128) <= 1).all()


def test_what_m_sees_is_the_original_even_where_faces_overlap():
    image = noise()
    redrawer(IdentityModifier(), feather=0).redraw(image, [cover(), cover(BOX + 5)])
    # Cut out, resampled, put back twice: blurred by that, but each from the original.
    again = noise()
    redrawer(IdentityModifier(), feather=0).redraw(again, [cover()])
    assert np.array_equal(image[10:22], again[10:22])


@pytest.mark.parametrize(
    'box',
    [[40, 30, 60, 56], [40.3, 30.8, 47.1, 36.9], [-9, 60, 30, 110], [5, 5, 95, 90]],
)
def test_faces_are_cut_out_and_put_back_as_in_training(box):
    class Asked(IdentityModifier):
        def modify(self, faces):
            self.faces = faces
            return -faces

    modifier, image = Asked(), noise()
    redrawer(modifier, feather=0).redraw(image, [cover(box)])
    frame = torch.from_numpy(noise()).permute(2, 0, 1)[None].float() / 127.5 - 1
    square = square_boxes(torch.tensor([[0, *box]], dtype=torch.float64), 0.3)
    expected = crop_faces(frame, square, 64)
    assert (modifier.faces - expected).abs().max() < 1e-4
    pasted = paste_faces(frame, -expected, square)[0].permute(1, 2, 0)
    pasted = ((pasted + 1) * 127.5).round().numpy()
    assert np.abs(image - pasted).max() <= 1


def test_noise_is_the_same_along_a_track_and_differs_between_tracks():
    def drawn(track, seed=None, times=1):
        one = redrawer(GaussianNoiseModifier(), seed=seed)
        images = [np.full((100, 120, 3), 128, np.uint8) for _ in range(times)]
        for image in images:
            one.redraw(image, [cover(track=track)])
        return images

    first, second = drawn(3, times=2)
    assert first[30:56, 40:60].std() > 20 and np.array_equal(first, second)
    one = redrawer(GaussianNoiseModifier())
    both = [np.full((100, 120, 3), 128, np.uint8) for _ in range(2)]
    for track, image in enumerate(both):
        one.redraw(image, [cover(track=track)])
    assert not np.array_equal(*both)
    # Nobody shall draw it again, unless it was asked for.
    assert not np.array_equal(drawn(3)[0], drawn(3)[0])
    assert np.array_equal(drawn(3, seed=5)[0], drawn(3, seed=5)[0])


def test_drawing_leaves_torchs_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    redrawer(GaussianNoiseModifier()).redraw(noise(), [cover()])
    assert torch.equal(torch.rand(3), expected)


def test_faces_that_an_untrained_modifier_would_let_through_are_covered():
    image = noise()
    one = redrawer(ResNetModifier(base_channels=4, num_blocks=1))
    one.redraw(image, [cover(), cover(BOX + 30)])
    assert one.covered == 2
    assert (np.abs(image[30:56, 40:60].astype(int) - 128) <= 1).all()


# --- Which modifier -------------------------------------------------------------------


@pytest.mark.parametrize(
    'name', ['PixelateModifier', 'pixelate', 'mmanon.PixelateModifier']
)
def test_modifiers_are_named_in_full_or_for_short(name):
    assert type(build_modifier(name)[0]).__name__ == 'PixelateModifier'


def test_an_unknown_name_tells_those_that_are_known():
    with pytest.raises(ValueError, match='PixelateModifier'):
        build_modifier('Pixelator')


def test_the_default_is_grey_and_says_that_it_is_the_default(monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmanon.anonymizer.backends.base.print_log',
        lambda message, **_: said.append(message),
    )
    assert build_drawer() == (None, CropGeometry())
    assert 'grey' in said[0] and 'no download' in said[0]
    with pytest.raises(ValueError, match='name the modifier'):
        build_drawer(weights='m.pth')


def test_a_training_config_brings_modifier_and_geometry(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        "custom_hooks = [dict(type='mmanon.AdversarialAnonymizationHook', "
        "modifier=dict(type='mmanon.ResNetModifier', base_channels=4, num_blocks=1), "
        'crop_size=96, margin=0.5)]'
    )
    modifier, geometry = build_modifier(path)
    assert isinstance(modifier, ResNetModifier)
    assert geometry == CropGeometry(96, 0.5, 0.1)
    path.write_text("modifier = dict(type='mmanon.PixelateModifier', blocks=3)")
    modifier, geometry = build_modifier(path)
    assert modifier.blocks == 3 and geometry == CropGeometry()
    path.write_text('a = 1')
    with pytest.raises(ValueError, match='names no modifier'):
        build_modifier(path)


TINY = dict(type='mmanon.ResNetModifier', base_channels=4, num_blocks=1)


@pytest.mark.parametrize('prefix', ['', 'modifier.', 'modifier_ema.module.'])
def test_weights_come_from_an_export_or_a_training_checkpoint(tmp_path, prefix):
    trained = ResNetModifier(base_channels=4, num_blocks=1)
    for one in trained.parameters():
        torch.nn.init.normal_(one)
    trained.record_update()
    state = {prefix + name: one for name, one in trained.state_dict().items()}
    if prefix:
        state['detector.weight'] = torch.zeros(2)
    if prefix.startswith('modifier_ema'):
        other = ResNetModifier(base_channels=4, num_blocks=1).state_dict()
        state.update({f'modifier.{name}': one for name, one in other.items()})
    torch.save(dict(state_dict=state), tmp_path / 'm.pth')
    loaded, _ = build_modifier(TINY, tmp_path / 'm.pth')
    face = torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded(face), trained.eval()(face)) and not loaded.is_untrained


def test_weights_that_are_not_the_modifiers_are_refused(tmp_path):
    path = tmp_path / 'm.pth'
    with pytest.raises(FileNotFoundError, match='m.pth'):
        build_modifier(TINY, path)
    other = ResNetModifier(base_channels=8, num_blocks=1)
    torch.save(dict(state_dict=other.state_dict()), path)
    with pytest.raises(ValueError, match='does not hold the weights'):
        build_modifier(TINY, path)
    with pytest.raises(ValueError, match='no weights to load'):
        build_modifier('pixelate', path)
    path.write_bytes(b'nothing of the kind')
    with pytest.raises(ValueError, match='seems to be a text file'):
        build_modifier(TINY, path)
