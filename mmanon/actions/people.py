"""Find the people in a frame: with a detector, in a file, or from their faces."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config

from mmanon.anonymizer.covered_boxes import CoveredBoxes
from mmanon.anonymizer.given_faces import GivenFaces
from mmanon.structures.faces import Faces
from mmanon.tracking.offline_tracks import link_faces
from mmanon.utils.log import print_log

from .detector import ActionDetector

__all__ = [
    'FindPeople',
    'People',
    'body_boxes',
    'detected_people',
    'given_people',
    'people_by_faces',
    'track_people',
]

# A body in units of the longer side of its face: half its width, and its extent above
# and below the upper edge of the face. Adults are seven to eight heads high.
_HALF_WIDTH, _ABOVE, _BELOW = 1.6, 0.4, 6.0


class People(NamedTuple):
    """K people of one frame.

    Attributes:
        boxes (np.ndarray): (K, 4), x1, y1, x2, y2 in pixels.
        scores (np.ndarray): (K,) in [0, 1].
        tracks (np.ndarray, optional): The number of each person, (K,); None if unknown.
    """

    boxes: np.ndarray
    scores: np.ndarray
    tracks: np.ndarray | None = None


FindPeople = Callable[[int, np.ndarray], People]
"""Takes a frame's index, from 0, and its upright picture, uint8 (H, W, 3) RGB."""


def body_boxes(faces: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Estimate the boxes of upright bodies from their faces.

    Args:
        faces (np.ndarray): (K, 4), x1, y1, x2, y2 in pixels.
        size (tuple[int, int]): Width and height of the picture; boxes are clipped to
            it.

    Returns:
        np.ndarray: (K, 4), x1, y1, x2, y2 in pixels.
    """
    side = (faces[:, 2:] - faces[:, :2]).max(1, initial=0)
    middle = faces[:, [0, 2]].mean(1)
    boxes = np.stack(
        [
            middle - _HALF_WIDTH * side,
            faces[:, 1] - _ABOVE * side,
            middle + _HALF_WIDTH * side,
            faces[:, 1] + _BELOW * side,
        ],
        1,
    )
    return boxes.clip(0, [*size, *size])


def people_by_faces(covered: CoveredBoxes) -> FindPeople:
    """Estimate people from the covered faces.

    Args:
        covered (CoveredBoxes): The covered faces of the video; their tracks number the
            people.
    """
    table = covered.as_table()
    table = table[np.argsort(table[:, 0], kind='stable')]

    def find(index: int, image: np.ndarray) -> People:
        first, end = np.searchsorted(table[:, 0], [index, index + 1])
        rows = table[first:end]
        boxes = body_boxes(rows[:, 2:6], (image.shape[1], image.shape[0]))
        inside = (boxes[:, 2:] > boxes[:, :2]).all(1)
        rows, boxes = rows[inside], boxes[inside]
        # A face that was covered without a detection counts as certain.
        scores = np.where(rows[:, 7] > 0, rows[:, 6], 1.0)
        return People(boxes, scores, rows[:, 1].astype(int))

    return find


def given_people(path: str | Path, name: str) -> FindPeople:
    """Look people up in a file of boxes, of the same formats as ``--boxes``.

    Args:
        path (str or Path): As for :class:`.given_faces.GivenFaces`.
        name (str): The video's path relative to the input folder.

    Raises:
        FileNotFoundError, ValueError: As for :class:`.given_faces.GivenFaces`.
        InputError: When the file does not contain the video.
    """
    find = GivenFaces(path).open(name)

    def look_up(index: int, image: np.ndarray) -> People:
        known = find(index, image)
        if not known.examined:
            return People(np.zeros((0, 4)), np.zeros(0))
        height, width = image.shape[:2]
        boxes = known.boxes.astype(float) * [width, height, width, height]
        return People(boxes, np.asarray(known.scores, float))

    return look_up


def detected_people(
    config: str | Path | Config,
    checkpoint: str | Path,
    score_thr: float = 0.5,
    device: str = 'cpu',
) -> FindPeople:
    """Find people with a detector of mmdet.

    Args:
        config, checkpoint: As for :class:`.detector.ActionDetector`, such as
            ``'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'``.
        score_thr (float): Boxes below this score, in [0, 1], are dropped.
        device (str): Where it runs.

    Raises:
        FileNotFoundError: When a file does not exist.
        ValueError: When it is no detector of single frames, or the checkpoint does not
            fit the config.
    """
    detector = ActionDetector(config, checkpoint, device=device)
    if detector.takes_people:
        raise ValueError(
            f'{config} detects actions, not people: give a config of mmdet'
        )
    people = [k for k, name in enumerate(detector.names) if name == 'person']
    if not people:
        # It may be a detector of people only, or its classes may have no names.
        people = [0]
        print_log(
            f'{config} has no class called person: its first class, '
            f'{detector.names[0]!r}, is used instead',
            level=logging.WARNING,
        )

    def find(index: int, image: np.ndarray) -> People:
        height, width = image.shape[:2]
        seen = detector.look([image], np.zeros((0, 4)))
        scores = seen.scores[:, people[0]]
        sure = scores >= score_thr
        boxes = seen.boxes[sure] * [width, height, width, height]
        return People(boxes, scores[sure])

    return find


def track_people(
    found: list[tuple[np.ndarray, np.ndarray]], min_iou: float = 0.3, max_gap: int = 2
) -> list[np.ndarray]:
    """Join the people of a video to tracks, by the overlap of their boxes.

    Args:
        found (list): Boxes in fractions of the frame, (K, 4), and scores, (K,), of each
            examined frame, in order.
        min_iou (float): Minimum IoU of a person with the last box of the track.
        max_gap (int): Number of examined frames for which a track may be out of sight.

    Returns:
        list[np.ndarray]: The numbers of the tracks in each frame, (K,).
    """
    faces = [
        Faces(
            boxes.astype(np.float32),
            scores.astype(np.float32),
            np.full((len(boxes), 5, 2), np.nan, np.float32),
            np.full(len(boxes), -1, np.int32),
        )
        for boxes, scores in found
    ]
    return [one.tracks for one in link_faces(faces, min_iou, max_gap)]
