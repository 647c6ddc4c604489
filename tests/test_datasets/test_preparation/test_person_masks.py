import cv2
import numpy as np

from mmanon.datasets.preparation.person_masks import person_opacity

PLACES = np.array([[0.42, 0.4], [0.58, 0.4], [0.5, 0.48], [0.44, 0.56], [0.56, 0.56]])


def draw_portrait(side: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """A head and shoulders before a wall with a lamp; and where the person is."""
    rng = np.random.default_rng(0)
    image = np.full((side, side, 3), (90, 140, 190), np.uint8)
    cv2.circle(image, (side // 8, side // 8), side // 16, (250, 240, 120), -1)
    person = np.zeros((side, side), np.uint8)
    middle = int(0.5 * side)
    cv2.ellipse(
        person, (middle, int(0.46 * side)), (side // 5, side // 4), 0, 0, 360, 1, -1
    )
    image[person > 0] = (205, 150, 120)
    body = np.zeros_like(person)
    across, up = int(0.4 * side), int(0.32 * side)
    cv2.ellipse(body, (middle, side), (across, up), 0, 0, 360, 1, -1)
    image[body > 0] = (60, 30, 30)
    noise = rng.normal(0, 4, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8), person | body


def test_the_person_is_opaque_and_the_wall_is_not():
    image, person = draw_portrait()
    found = person_opacity(image, PLACES)

    assert found.shape == image.shape[:2]
    assert found.dtype == np.uint8
    both = ((found > 127) & (person > 0)).sum()
    assert both / ((found > 127) | (person > 0)).sum() > 0.93
    assert found[:30, :30].max() == 0, 'the lamp is no part of the person'
    assert np.array_equal(found, person_opacity(image, PLACES))
