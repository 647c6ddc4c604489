"""Which pixels of a portrait show the person."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ['person_opacity']

# Side in pixels at which the person is separated; more takes longer and adds nothing.
_SIDE = 128


def person_opacity(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Separate the person of a portrait from the background by OpenCV's GrabCut.

    GrabCut (Rother et al., SIGGRAPH 2004) starts from an ellipse around the head and a
    trapezoid of shoulders, both placed by the landmarks.

    Args:
        image (np.ndarray): uint8 (P, P, 3).
        landmarks (np.ndarray): Eyes, nose and corners of the mouth, (5, 2) as fractions
            of the side.

    Returns:
        np.ndarray: uint8 (P, P), 255 at the person, with a soft edge.
    """
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    places = landmarks * _SIDE
    eyes, mouth = places[:2].mean(0), places[3:].mean(0)
    apart = max(float(np.linalg.norm(places[1] - places[0])), 4.0)
    down = mouth - eyes
    x, y = np.meshgrid(np.arange(_SIDE) + 0.5, np.arange(_SIDE) + 0.5)

    def ellipse(centre: np.ndarray, across: float, along: float) -> np.ndarray:
        return (
            ((x - centre[0]) / (apart * across)) ** 2
            + ((y - centre[1]) / (apart * along)) ** 2
        ) < 1

    labels = np.full((_SIDE, _SIDE), cv2.GC_PR_BGD, np.uint8)
    labels[ellipse(eyes - 0.05 * down + [0, 0.15 * apart], 1.55, 2.1)] = cv2.GC_PR_FGD
    chin = mouth + 0.75 * down
    below = y - chin[1]
    labels[(below > 0) & (np.abs(x - chin[0]) < 0.8 * apart + 1.2 * below)] = (
        cv2.GC_PR_FGD
    )
    labels[ellipse(places.mean(0), 0.85, 1.2)] = cv2.GC_FGD
    beside = (np.abs(x - eyes[0]) > 2.2 * apart) & (y < mouth[1])
    labels[beside | (y < eyes[1] - 2.3 * apart)] = cv2.GC_BGD
    wall, person_colours = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    whole = (0, 0, _SIDE, _SIDE)
    cv2.grabCut(small, labels, whole, wall, person_colours, 4, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = _without_islands(person, places.mean(0))
    soft = cv2.GaussianBlur(cv2.medianBlur(person * 255, 5), (0, 0), 1.0)
    return cv2.resize(soft, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _without_islands(person: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Only the part that contains a place, without small holes."""
    _, parts = cv2.connectedComponents(person)
    column, row = inside.astype(int).clip(0, _SIDE - 1)
    person = (parts == parts[row, column]).astype(np.uint8)
    count, parts, figures, _ = cv2.connectedComponentsWithStats(1 - person)
    for index in range(1, count):
        if figures[index, cv2.CC_STAT_AREA] < 0.02 * _SIDE**2:
            person[parts == index] = 1
    return person
