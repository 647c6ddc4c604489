import pytest
import torch

from mmanon.models.layers.face_crops import (
    crop_faces,
    paste_faces,
    square_boxes,
    widest_feather,
)


def boxes_of(*rows):
    return torch.tensor(rows, dtype=torch.float64).view(-1, 5)


def test_square_keeps_the_centre_and_enlarges_the_longer_side():
    squares = square_boxes(boxes_of((2, 10, 20, 30, 60)), margin=0.5)

    assert squares.tolist() == [[2, -20, 0, 60, 80]]


def test_crop_on_whole_pixels_is_exact():
    frames = torch.rand(2, 3, 40, 50)

    faces = crop_faces(frames, boxes_of((1, 7, 5, 23, 21)), 16)

    torch.testing.assert_close(faces[0], frames[1, :, 5:21, 7:23])


def test_crop_that_shrinks_averages_all_pixels():
    frames = torch.rand(1, 1, 64, 64)

    face = crop_faces(frames, boxes_of((0, 0, 0, 64, 64)), 1)

    # The triangle filter spans the box: far from a single pixel, near the mean.
    assert abs(face.item() - frames.mean().item()) < 0.05


def test_crop_between_pixels_interpolates_linearly():
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)

    face = crop_faces(ramp, boxes_of((0, 4.25, 4, 12.25, 12)), 8)

    torch.testing.assert_close(face[0, 0, 0], torch.arange(8.0) + 4.25)


def test_crop_beyond_the_border_repeats_the_nearest_pixel():
    frames = torch.rand(1, 3, 20, 20)

    face = crop_faces(frames, boxes_of((0, -10, 0, 10, 20)), 20)[0]

    expected = frames[0, :, :, :1].expand(3, 20, 10)
    torch.testing.assert_close(face[:, :, :10], expected)


def test_paste_of_an_unmodified_crop_gives_the_frame_back():
    frames = torch.rand(3, 3, 48, 64)
    boxes = boxes_of((0, 3, 4, 19, 20), (2, 30, 10, 46, 26))

    pasted = paste_faces(frames, crop_faces(frames, boxes, 16), boxes, feather=0.2)

    torch.testing.assert_close(pasted, frames)


@pytest.mark.parametrize('feather', [0.0, 0.2])
def test_outside_the_boxes_every_bit_stays(feather):
    frames = torch.randn(2, 3, 40, 40)
    box = boxes_of((1, 10.3, 12.6, 22.9, 25.2))

    pasted = paste_faces(frames, torch.zeros(1, 3, 8, 8), box, feather)

    outside = torch.ones(2, 40, 40, dtype=torch.bool)
    outside[1, 12:26, 10:23] = False
    assert torch.equal(
        pasted.transpose(0, 1)[:, outside], frames.transpose(0, 1)[:, outside]
    )
    assert not torch.equal(pasted[1], frames[1])


def test_inside_the_feather_nothing_of_the_original_is_left():
    frames = torch.rand(1, 3, 60, 60)
    box = boxes_of((0, 10, 10, 50, 50))

    pasted = paste_faces(frames, torch.full((1, 3, 16, 16), 7.0), box, feather=0.1)

    torch.testing.assert_close(
        pasted[:, :, 14:46, 14:46], torch.full((1, 3, 32, 32), 7.0)
    )


def test_feather_fades_from_the_frame_to_the_crop():
    frames = torch.zeros(1, 1, 60, 60)
    box = boxes_of((0, 10, 10, 50, 50))

    row = paste_faces(frames, torch.ones(1, 1, 8, 8), box, feather=0.25)[0, 0, 30]

    rise = row[9:21]
    assert rise[0] == 0 and rise[-1] == 1
    assert (rise.diff() > 0).all()


def test_a_face_beyond_the_border_is_covered_as_far_as_it_is_seen():
    frames = torch.zeros(1, 3, 20, 30)

    pasted = paste_faces(
        frames, torch.ones(1, 3, 8, 8), boxes_of((0, 22, -8, 38, 8)), 0.0
    )

    assert pasted.sum() == 3 * 8 * 8
    assert (pasted[:, :, :8, 22:] == 1).all()


def test_a_face_wholly_outside_leaves_the_frame():
    frames = torch.rand(1, 3, 20, 30)

    pasted = paste_faces(frames, torch.ones(1, 3, 8, 8), boxes_of((0, 40, 40, 50, 50)))

    assert torch.equal(pasted, frames)


def test_overlapping_faces_hide_the_frame_whatever_their_order():
    frames = torch.full((1, 1, 40, 40), 100.0)
    boxes = boxes_of((0, 5, 5, 25, 25), (0, 15, 15, 35, 35))
    faces = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])

    pasted = paste_faces(frames, faces, boxes, feather=0.1)
    swapped = paste_faces(frames, faces.flip(0), boxes.flip(0), feather=0.1)

    torch.testing.assert_close(pasted, swapped)
    overlap = pasted[0, 0, 17:23, 17:23]
    assert (overlap >= 0).all() and (overlap <= 1).all()


@pytest.mark.parametrize(
    'gap_x, gap_y, width, height',
    [(6, -40, 30, 40), (1, -40, 30, 40), (-30, 2, 30, 40), (3, -25, 40, 40)],
)
def test_the_margin_of_a_crop_brings_no_neighbour_back(gap_x, gap_y, width, height):
    torch.manual_seed(0)
    frames = torch.rand(1, 3, 160, 160)
    x, y = 50 + width + gap_x, 50 + height + gap_y
    faces = boxes_of(
        (0, 50, 50, 50 + width, 50 + height), (0, x, y, x + width, y + height)
    )
    squares = square_boxes(faces, margin=0.6)
    side = int(squares[0, 3] - squares[0, 1])
    # A modifier that greys the face box and leaves the margin.
    crops = crop_faces(frames, squares, side)
    top, left = (side - height) // 2, (side - width) // 2
    crops[:, :, top : top + height, left : left + width] = 0.5

    pasted = paste_faces(frames, crops, squares, feather=0.1)

    for _, x1, y1, x2, y2 in faces.long().tolist():
        assert (pasted[:, :, y1:y2, x1:x2] - 0.5).abs().max() < 1e-5


def test_crops_of_one_box_are_mixed():
    frames = torch.zeros(1, 1, 20, 20)
    faces = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])

    pasted = paste_faces(frames, faces, boxes_of(*[(0, 4, 4, 12, 12)] * 2))

    assert (pasted[..., 4:12, 4:12] == 0.5).all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_costs_no_precision(dtype):
    frames = torch.rand(1, 3, 48, 64) * 255
    boxes = boxes_of((0, 3, 4, 19, 20))

    with torch.autocast('cpu', dtype):
        faces = crop_faces(frames, boxes, 16)
        pasted = paste_faces(frames, faces, boxes, feather=0.2)

    torch.testing.assert_close(faces[0], frames[0, :, 4:20, 3:19])
    torch.testing.assert_close(pasted, frames)


def test_half_precision_frames_stay_of_their_type():
    frames = torch.rand(2, 3, 48, 64).bfloat16()
    boxes = boxes_of((0, 3, 4, 19, 20), (1, 30, 10, 38, 18))

    faces = crop_faces(frames, boxes, 16)
    pasted = paste_faces(frames, faces, boxes)

    assert faces.dtype == pasted.dtype == torch.bfloat16
    torch.testing.assert_close(faces[0], frames[0, :, 4:20, 3:19])


def test_frames_may_lie_in_memory_in_any_order():
    frames = torch.rand(2, 3, 40, 40)
    boxes = boxes_of((1, 3, 4, 19, 20))
    spread = frames.to(memory_format=torch.channels_last)
    faces = crop_faces(frames, boxes, 8)

    assert torch.equal(crop_faces(spread, boxes, 8), faces)
    assert torch.equal(
        paste_faces(spread, -faces, boxes), paste_faces(frames, -faces, boxes)
    )


def test_faces_come_back_in_the_order_of_their_boxes():
    frames = torch.rand(1, 3, 90, 90)
    boxes = boxes_of((0, 1, 1, 61, 61), (0, 5, 5, 13, 13), (0, 9, 9, 49, 49))

    faces = crop_faces(frames, boxes, 12)

    for face, box in zip(faces, boxes, strict=True):
        torch.testing.assert_close(face, crop_faces(frames, box[None], 12)[0])


def test_no_face_leaves_the_frames_alone():
    frames = torch.rand(2, 3, 20, 20)

    faces = crop_faces(frames, boxes_of(), 16)

    assert faces.shape == (0, 3, 16, 16)
    assert torch.equal(paste_faces(frames, faces, boxes_of()), frames)


def test_clips_are_cropped_and_pasted_as_their_frames():
    clips = torch.rand(2, 3, 4, 30, 30)
    frames = clips.transpose(1, 2).reshape(8, 3, 30, 30)
    boxes = boxes_of((1, 3, 3, 15.5, 15.5), (6, 2, 8, 20, 26), (6, 14, 14, 40, 40))
    drawn = torch.rand(3, 3, 8, 8)

    torch.testing.assert_close(
        crop_faces(clips, boxes, 8), crop_faces(frames, boxes, 8)
    )
    pasted = paste_faces(clips, drawn, boxes, 0.1).transpose(1, 2)
    torch.testing.assert_close(
        pasted.reshape(8, 3, 30, 30), paste_faces(frames, drawn, boxes, 0.1)
    )


def test_gradients_agree_with_finite_differences():
    frames = torch.rand(2, 2, 14, 14, dtype=torch.float64, requires_grad=True)
    faces = torch.rand(3, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    boxes = boxes_of((0, 1.3, 2.2, 8.9, 9.8), (0, 5, 5, 11, 11), (1, -3, 6, 6, 15))

    torch.autograd.gradcheck(lambda x: crop_faces(x, boxes, 5), frames)
    torch.autograd.gradcheck(
        lambda x, f: paste_faces(x, f, boxes, feather=0.2), (frames, faces)
    )


def test_every_face_gets_gradient_even_when_it_is_much_larger_than_its_box():
    faces = torch.rand(1, 1, 64, 64, requires_grad=True)

    paste_faces(
        torch.zeros(1, 1, 30, 30), faces, boxes_of((0, 10, 10, 18, 18)), 0.0
    ).sum().backward()

    # An aliased resampling would leave most samples without gradient.
    assert (faces.grad > 0).float().mean() > 0.95


@pytest.mark.parametrize(
    'row', [(0, 5, 5, 5, 9), (0, float('nan'), 0, 4, 4), (2, 0, 0, 4, 4)]
)
def test_a_wrong_box_is_named(row):
    with pytest.raises(ValueError, match='is empty, not finite, or not in one of'):
        crop_faces(torch.rand(2, 3, 20, 20), boxes_of(row), 8)


def test_faces_and_boxes_must_agree_in_number():
    with pytest.raises(ValueError, match='2 faces cannot fill 1 boxes'):
        paste_faces(
            torch.rand(1, 3, 9, 9), torch.rand(2, 3, 4, 4), boxes_of((0, 0, 0, 4, 4))
        )


def test_the_widest_feather_just_spares_the_face():
    # A face of side 10 with margin 0.5 is a crop of side 20 with 5 around the face.
    assert widest_feather(0.5) * 20 == pytest.approx(5)
