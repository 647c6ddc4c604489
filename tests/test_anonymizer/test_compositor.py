import numpy as np
import pytest

from mmanon.anonymizer.compositor import FaceCompositor, ellipse_in
from mmanon.anonymizer.mask_planner import FaceMask
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.utils.resampling import gaussian_blur, sample_affine

BOX = np.array([40.0, 30.0, 60.0, 56.0])


def noise(shape=(100, 120, 3)):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def mask(box=BOX, track=0):
    return FaceMask(np.asarray(box, float), track, True, 1.0)


class Keeping:
    """Keeps what it is shown, and leaves it as it is."""

    def modify(self, faces, tracks):
        self.seen = faces
        return faces, np.zeros(len(faces), bool)


class Solid(Keeping):
    """Draws mid-grey."""

    def modify(self, faces, tracks):
        return super().modify(np.zeros_like(faces), tracks)


def compositor(backend, feather=0.05, shape='square', align=False):
    return FaceCompositor(backend, CropGeometry(64, 0.3, feather), shape, align)


def face_pixels(shape, box=BOX, size=(100, 120)):
    """What of a face box is a face: all of it, or the ellipse in it."""
    y, x = np.ogrid[: size[0], : size[1]]
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    x, y = (x + 0.5 - middle[0]) / half[0], (y + 0.5 - middle[1]) / half[1]
    return np.maximum(abs(x), abs(y)) < 1 if shape == 'square' else x**2 + y**2 < 1


@pytest.mark.parametrize('shape', ['square', 'ellipse'])
@pytest.mark.parametrize('backend', [None, Solid()])
def test_the_face_is_covered_whole_and_what_is_far_untouched(shape, backend):
    image, before = noise(), noise()
    (region,) = compositor(backend, shape=shape).apply(image, [mask()])
    assert (np.abs(image[face_pixels(shape)].astype(int) - 128) <= 1).all()
    x1, y1, x2, y2 = region
    inside = np.zeros((100, 120), bool)
    inside[y1:y2, x1:x2] = True
    assert np.array_equal(image[~inside], before[~inside])
    corner = np.abs(image[y1 + 1, x1 + 1].astype(int) - before[y1 + 1, x1 + 1]).max()
    assert (corner == 0) == (shape == 'ellipse')


def test_an_edge_that_would_show_the_face_is_refused():
    with pytest.raises(ValueError, match='show through'):
        compositor(Solid(), feather=0.3)


def test_the_edge_of_an_ellipse_ends_where_the_face_begins_however_wide_it_may_be():
    image = noise()
    compositor(Solid(), feather=0.4, shape='ellipse').apply(image, [mask()])
    assert (np.abs(image[face_pixels('ellipse')].astype(int) - 128) <= 1).all()


def test_an_ellipse_covers_little_beside_the_face():
    image = noise()
    compositor(None, shape='ellipse').apply(image, [mask()])
    changed = (image != noise()).any(-1)
    assert changed.sum() < 1.35 * face_pixels('ellipse').sum()
    assert changed.sum() < 0.45 * _changed_by_a_square()


def _changed_by_a_square():
    image = noise()
    compositor(None).apply(image, [mask()])
    return (image != noise()).any(-1).sum()


def test_a_larger_ellipse_covers_more_and_at_most_what_the_backend_drew():
    areas = []
    for scale in (1.0, 1.3, 9.0):
        image = noise()
        wide = FaceCompositor(
            None, CropGeometry(64, 0.3, 0.0), 'ellipse', mask_scale=scale
        )
        wide.apply(image, [mask()])
        areas.append((image != noise()).any(-1).sum())
        assert wide.mask_scale <= 1.6
    assert areas[0] < areas[1] < areas[2]
    with pytest.raises(ValueError, match='mask_scale must be at least 1'):
        FaceCompositor(None, CropGeometry(), 'ellipse', mask_scale=0.9)


@pytest.mark.parametrize('tilt', [0.0, 0.2, -0.5, np.pi / 4, 1.4, np.pi / 2, 3.0])
def test_an_ellipse_that_leans_reaches_as_far_as_the_box_to_each_side(tilt):
    # The box around a head that leans, 1.3 times as long as wide.
    along = np.array([abs(np.sin(tilt)), abs(np.cos(tilt))]) * 13
    half = np.hypot(along, np.abs([np.cos(tilt), np.sin(tilt)]) * 10)
    axes, lean = ellipse_in(half, tilt)
    cos, sin = np.cos(lean), np.sin(lean)
    reach = np.hypot(axes[0] * np.array([cos, sin]), axes[1] * np.array([sin, cos]))
    assert (reach >= half - 0.6).all() and (reach <= half * 1.2).all()
    assert lean == tilt


def smooth(shape=(200, 220, 3)):
    return blurred(noise(shape), 4)


def blurred(image, sigma):
    return gaussian_blur(image.astype(np.float32), sigma).round().astype(np.uint8)


def leaning(tilt, box=(80, 70, 120, 122)):
    return FaceMask(np.array(box, float), 0, True, 1.0, tilt)


@pytest.mark.parametrize('shape', ['square', 'ellipse'])
@pytest.mark.parametrize('tilt', [0.3, -0.8, np.pi / 4, 3.0])
def test_a_crop_that_leans_covers_the_face_box_and_stays_in_its_region(tilt, shape):
    image = smooth()
    aligned = compositor(Solid(), shape=shape, align=True)
    (region,) = aligned.apply(image, [leaning(tilt)])
    covered = np.abs(image.astype(int) - 128).max(-1) <= 1
    if shape == 'square':
        assert covered[70:122, 80:120].all()
    else:
        # As wide as the narrower side of the box at least, wherever it leans to.
        y, x = np.ogrid[: image.shape[0], : image.shape[1]]
        assert covered[np.hypot(x + 0.5 - 100, y + 0.5 - 96) < 19].all()
    x1, y1, x2, y2 = region
    image[y1:y2, x1:x2] = smooth()[y1:y2, x1:x2]
    assert np.array_equal(image, smooth())


@pytest.mark.parametrize('side', [40, 160])
def test_the_backend_sees_a_leaning_face_upright(side):
    # A picture and the same one turned about the middle of the face.
    tilt, middle = 0.4, (150, 140)
    upright = blurred(noise((280, 300, 3)), 6)
    cos, sin = np.cos(tilt), np.sin(tilt)
    back = np.array([[cos, sin], [-sin, cos]])
    turn = np.column_stack([back, middle - back @ middle])
    turned = sample_affine(upright.astype(np.float32), turn, (300, 280))
    turned = turned.round().astype(np.uint8)
    # In numbers of pixels and not of their middles, as those are counted here.
    box = np.concatenate(
        [np.add(middle, 0.5) - side / 2, np.add(middle, 0.5) + side / 2]
    )
    seen = []
    for image, mask_ in ((upright, leaning(0, box)), (turned, leaning(tilt, box))):
        keeping = Keeping()
        geometry = CropGeometry(32, 0.25, 0.02)
        FaceCompositor(keeping, geometry, 'ellipse', True).apply(image, [mask_])
        seen.append(keeping.seen[0])
    middle_part = np.s_[:, 4:-4, 4:-4]
    difference = np.abs(seen[0] - seen[1])[middle_part]
    assert difference.mean() < 0.01 and difference.max() < 0.06
    # Not so without alignment.
    keeping = Keeping()
    FaceCompositor(keeping, CropGeometry(32, 0.25, 0.02)).apply(
        turned, [leaning(tilt, box)]
    )
    lying = np.abs(keeping.seen[0] - seen[0])[middle_part]
    assert lying.mean() > 5 * difference.mean()


def test_a_leaning_face_that_is_not_changed_comes_back_in_its_place():
    image = smooth()
    geometry = CropGeometry(64, 0.3, 0.05)
    FaceCompositor(Keeping(), geometry, align=True).apply(image, [leaning(0.5)])
    away = np.abs(image.astype(int) - smooth())
    assert away.mean() < 0.5 and away.max() < 12


def test_without_being_asked_no_crop_leans():
    one, other = smooth(), smooth()
    FaceCompositor(Keeping(), CropGeometry(64, 0.3, 0.05)).apply(one, [leaning(0.5)])
    FaceCompositor(Keeping(), CropGeometry(64, 0.3, 0.05)).apply(other, [leaning(0.0)])
    assert np.array_equal(one, other)


def test_an_edge_that_would_show_the_face_when_it_leans_is_refused():
    compositor(Solid(), feather=0.1)
    with pytest.raises(ValueError, match='show through'):
        compositor(Solid(), feather=0.1, align=True)


@pytest.mark.parametrize(
    'box', [[-20, -10, 15, 12], [100, 80, 140, 120], [-50, -50, 200, 200]]
)
def test_faces_beyond_the_edge_are_covered_as_far_as_they_show(box):
    image = noise()
    compositor(Solid()).apply(image, [mask(box)])
    x1, y1, x2, y2 = np.clip(box, 0, [120, 100, 120, 100])
    assert (np.abs(image[y1:y2, x1:x2].astype(int) - 128) <= 1).all()


def test_nothing_happens_where_no_face_meets_the_picture():
    image = noise()
    assert compositor(Solid()).apply(image, []) == []
    assert compositor(Solid()).apply(image, [mask(BOX + 500)]) == []
    assert np.array_equal(image, noise())


def test_a_face_larger_than_any_window_is_covered():
    image = np.full((2500, 2400, 3), 200, np.uint8)
    compositor(Solid()).apply(image, [mask([300, 300, 2100, 2200])])
    assert (np.abs(image[300:2200, 300:2100].astype(int) - 128) <= 1).all()


def test_what_m_sees_is_the_original_even_where_faces_overlap():
    image = noise()
    compositor(Keeping(), feather=0).apply(image, [mask(), mask(BOX + 5)])
    # Cut out, resampled, put back twice: blurred by that, but each from the original.
    again = noise()
    compositor(Keeping(), feather=0).apply(again, [mask()])
    assert np.array_equal(image[10:22], again[10:22])


@pytest.mark.parametrize(
    'box',
    [[40, 30, 60, 56], [40.3, 30.8, 47.1, 36.9], [-9, 60, 30, 110], [5, 5, 95, 90]],
)
def test_faces_are_cut_out_and_put_back_as_in_training(box):
    torch = pytest.importorskip('torch', reason='training is done in PyTorch')
    from mmanon.models.layers.face_crops import crop_faces, paste_faces, square_boxes

    class Opposite(Keeping):
        def modify(self, faces, tracks):
            seen, masked = super().modify(faces, tracks)
            return -seen, masked

    backend, image = Opposite(), noise()
    compositor(backend, feather=0).apply(image, [mask(box)])
    frame = torch.from_numpy(noise()).permute(2, 0, 1)[None].float() / 127.5 - 1
    square = square_boxes(torch.tensor([[0, *box]], dtype=torch.float64), 0.3)
    expected = crop_faces(frame, square, 64)
    assert np.abs(backend.seen - expected.numpy()).max() < 1e-4
    pasted = paste_faces(frame, -expected, square)[0].permute(1, 2, 0)
    pasted = ((pasted + 1) * 127.5).round().numpy()
    assert np.abs(image - pasted).max() <= 1


# Tracks and sources.


class Masking:
    """Masks faces whose turn it is, and remembers the tracks it is told."""

    def __init__(self, *turns):
        self.turns, self.tracks = list(turns), []

    def modify(self, faces, tracks):
        self.tracks.append(list(tracks))
        masked = np.full(len(faces), self.turns.pop(0))
        return np.where(masked[:, None, None, None], 0, 1 + 0 * faces), masked


def test_a_track_that_was_masked_once_stays_masked_until_the_next_source():
    drawing = compositor(Masking(False, True, False, False))
    seen = []
    for source in ('a.mp4', None, None, 'b.mp4'):
        if source:
            drawing.begin(source)
        image = noise()
        drawing.apply(image, [mask(track=3)])
        seen.append(int(image[43, 50, 0]))
    assert seen == [255, 128, 128, 255]
    assert drawing.masked == 2


def test_tracks_of_two_sources_have_numbers_of_their_own():
    backend = Masking(False, False, False)
    drawing = compositor(backend)
    for source in ('a.mp4', 'b.mp4', 'a.mp4'):
        drawing.begin(source)
        drawing.apply(noise(), [mask(track=3), mask(track=-1)])
    first, second, again = backend.tracks
    assert first == again and first[0] != second[0]
    assert first[1] == second[1] == -1


@pytest.mark.parametrize(
    ('key_per', 'same_track', 'same_video'),
    [('track', True, False), ('video', True, True), ('frame', False, False)],
)
def test_a_key_lasts_as_long_as_is_asked_for(key_per, same_track, same_video):
    backend = Masking(*[False] * 4)
    drawing = FaceCompositor(backend, CropGeometry(64, 0.3, 0.05), key_per=key_per)
    for source, frame in (('a.mp4', 0), ('a.mp4', 1), ('b.mp4', 0), ('a.mp4', 0)):
        drawing.begin(source)
        drawing.apply(noise(), [mask(track=3), mask(BOX + 40, track=4)], frame)
    first, later, elsewhere, again = backend.tracks
    assert again == first
    assert (later == first) == same_track
    assert (first[0] == first[1]) == same_video
    # Another video never has the faces of this one.
    assert not set(elsewhere) & {*first, *later}


def test_faces_of_a_photograph_have_keys_of_their_own_unless_asked():
    for key_per, numbers in (('track', {-1}), ('frame', {-1}), ('video', None)):
        backend = Masking(False)
        drawing = FaceCompositor(backend, CropGeometry(64, 0.3, 0.05), key_per=key_per)
        drawing.begin('a.png')
        drawing.apply(noise(), [mask(track=-1), mask(BOX + 40, track=-1)])
        (seen,) = backend.tracks
        if numbers is None:
            assert seen[0] == seen[1] >= 0
        else:
            assert set(seen) == numbers
