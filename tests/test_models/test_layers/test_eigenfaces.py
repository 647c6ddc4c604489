import numpy as np
import torch

from mmanon.models.layers.eigenfaces import RunningEigenfaces, resized


def batches(count=40, size=8, seed=0):
    """Faces that vary along two directions, by 0.4 and by 0.1."""
    generator = torch.Generator().manual_seed(seed)
    length = 3 * size**2
    basis = torch.linalg.qr(torch.randn(length, 2, generator=generator))[0].T
    average = torch.rand(length, generator=generator) - 0.5
    scale = torch.tensor([0.4, 0.1])
    for _ in range(count):
        along = torch.randn(16, 2, generator=generator) * scale
        yield (average + along @ basis).view(16, 3, size, size)


def test_average_and_directions_are_those_of_all_faces():
    running = RunningEigenfaces(8, 2)
    faces = list(batches())
    for _ in range(3):
        for batch in faces:
            running.update(batch)

    pixels = torch.cat(faces).flatten(1).numpy()
    away = pixels - pixels.mean(0)
    _, sizes, directions = np.linalg.svd(away, full_matrices=False)
    np.testing.assert_allclose(running.average, pixels.mean(0), atol=0.03)
    alike = np.abs((directions[:2] * running.directions.numpy()).sum(1))
    assert alike.min() > 0.97
    np.testing.assert_allclose(
        running.variances.sqrt(), sizes[:2] / len(away) ** 0.5, rtol=0.15
    )


def test_directions_never_flip():
    running = RunningEigenfaces(8, 2)
    for number, batch in enumerate(batches()):
        before = running.directions.clone()
        running.update(batch)
        if number > 5:
            assert ((before * running.directions).sum(1) > 0).all()


def test_a_key_says_how_far_a_face_is_from_the_average():
    running = RunningEigenfaces(8, 2)
    for batch in batches():
        running.update(batch)

    nobody, one, other = running.draw(torch.tensor([[0.0, 0], [1, 0], [-1, 0]]), 8)

    average = running.average.view(3, 8, 8)
    assert torch.allclose(nobody, average)
    assert torch.allclose(one - average, average - other, atol=1e-6)
    step = (one - average).flatten() @ running.directions[0]
    assert torch.isclose(step, running.variances[0].sqrt())


def test_without_directions_everybody_is_the_average():
    running = RunningEigenfaces(8, 0)
    batch = next(batches())
    running.update(batch)

    drawn = running.draw(torch.zeros(2, 0), 16)

    wanted = resized(batch.mean(0, keepdim=True), 16).expand(2, -1, -1, -1)
    assert torch.allclose(drawn, wanted, atol=1e-6)


def test_resizing_keeps_the_mean_and_a_face_of_that_size():
    face = next(batches())[:1]
    assert resized(face, 8) is face
    small, large = resized(face, 4), resized(face, 24)
    assert small.shape == (1, 3, 4, 4) and large.shape == (1, 3, 24, 24)
    assert torch.allclose(small.mean(), face.mean(), atol=0.02)
    assert torch.allclose(large.mean(), face.mean(), atol=0.02)


def test_directions_are_those_of_heads_where_the_margin_is_known():
    running = RunningEigenfaces(24, 2, margin=0.5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        faces = torch.rand(16, 3, 1, 1, generator=generator).expand(-1, -1, 24, 24)
        faces = faces.clone()
        faces[:, :, 2:22, 4:20] = torch.rand(16, 3, 1, 1, generator=generator) * 0.5
        running.update(faces)

    one, other = running.draw(torch.tensor([[1.0, 0], [-1, 0]]), 24)

    change = (one - other).abs().sum(0)
    assert change[10:14, 10:14].min() > 0.1
    assert change[:, :2].max() < 1e-6 and change[:, -2:].max() < 1e-6
    assert 'head' not in running.state_dict()
