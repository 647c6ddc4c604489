"""What a recognizer sees: the face box, the crop, the head in the frame."""

import pytest
import torch

from mmanon.models.layers.face_views import FaceView


def images(view, count=3):
    generator = torch.Generator().manual_seed(0)
    side = view.image_size
    return torch.rand(count, 3, side, side, generator=generator) * 2 - 1


@pytest.mark.parametrize('name', ['face', 'crop'])
def test_two_views_show_the_modifiers_crop(name):
    view = FaceView(name, 32, 0.15)
    assert (view.image_size, view.image_margin) == (32, 0.15)
    faces = images(view)
    assert view.cut(faces) is faces
    assert torch.equal(view.redraw(faces, lambda crops: -crops), -faces)


def test_only_the_face_view_has_a_box_to_cut_out():
    margins = [FaceView(name, 32, 0.15).shown_margin for name in ('face', 'crop')]
    assert margins == [0.15, 0.0]


def test_the_head_is_the_frame_with_the_crop_pasted_back():
    view = FaceView('head', 40, 0.2, head_margin=0.5)
    # The crop's 40 pixels are 1.4 of the box, the head 2 of it.
    assert view.image_size == 58 and view.shown_margin == 0
    assert view.image_margin == pytest.approx(0.515)
    frames = images(view)
    seen = []

    def redraw(crops):
        seen.append(crops)
        return torch.full_like(crops, 0.25)

    drawn = view.redraw(frames, redraw)

    edge = 9
    inside = (..., slice(edge, edge + 40), slice(edge, edge + 40))
    assert torch.allclose(seen[0], frames[inside], atol=1e-6)
    assert torch.allclose(drawn[inside], torch.full((3, 3, 40, 40), 0.25), atol=1e-6)
    outside = torch.ones_like(frames, dtype=torch.bool)
    outside[inside] = False
    assert torch.equal(drawn[outside], frames[outside])


def test_a_pasted_crop_fades_out():
    sharp, soft = (FaceView('head', 40, 0.2, 0.5, feather=f) for f in (0.0, 0.1))
    frames = images(sharp)
    hard, faded = (
        view.redraw(frames, torch.zeros_like)[..., 9, 29] for view in (sharp, soft)
    )
    assert torch.allclose(hard, torch.zeros(3, 3), atol=1e-6)
    assert (faded.abs() > 0.05).any()


def test_what_is_no_view_is_refused():
    with pytest.raises(ValueError, match="one of .* got 'hair'"):
        FaceView('hair', 32, 0.15)
    with pytest.raises(ValueError, match='head_margin=0.5 is less than the margin 0.6'):
        FaceView('head', 32, 0.6)


def test_a_recognizer_of_a_head_needs_the_very_geometry():
    head = FaceView('head', 40, 0.2)
    assert head.shows_the_same_as(FaceView('head', 40, 0.2))
    assert not head.shows_the_same_as(FaceView('head', 40, 0.2, feather=0.1))
    assert not head.shows_the_same_as(FaceView('crop', 40, 0.2))
    # Of the others the size is no matter.
    assert FaceView('crop', 1, 0.2).shows_the_same_as(FaceView('crop', 40, 0.2))
    assert not FaceView('crop', 1, 0.2).shows_the_same_as(FaceView('crop', 40, 0.3))
