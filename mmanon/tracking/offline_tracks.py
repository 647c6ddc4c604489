"""Join the faces of a whole video to tracks, and fill the gaps in the tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmanon.structures.boxes import box_ious, enclosing_box
from mmanon.structures.faces import Faces

__all__ = ['fill_gaps', 'link_faces']


def link_faces(
    frames: Sequence[Faces], min_iou: float = 0.3, max_gap: int = 5
) -> list[Faces]:
    """Join the faces of one video to tracks.

    The faces of a frame are assigned to the tracks that were out of sight for at most
    ``max_gap`` frames, so that the sum of the overlaps (IoU) is largest.

    Args:
        frames: The faces of the examined frames, in order.
        min_iou: Minimum IoU, in (0, 1], of a face with the last box of its track.
        max_gap: Number of frames for which a track may be out of sight.

    Returns:
        The same faces with ``tracks`` 0, 1, … in order of appearance.
    """
    from scipy.optimize import linear_sum_assignment

    linked: list[Faces] = []
    tracks: dict[int, tuple[int, np.ndarray]] = {}
    count = 0
    for t, faces in enumerate(frames):
        tracks = {k: v for k, v in tracks.items() if t - v[0] <= max_gap + 1}
        numbers = np.full(len(faces), -1, np.int32)
        if len(faces) and tracks:
            names = list(tracks)
            last = np.stack([tracks[k][1] for k in names])
            ious = box_ious(last[:, None], faces.boxes)
            for i, j in zip(*linear_sum_assignment(-ious), strict=True):
                if ious[i, j] >= min_iou:
                    numbers[j] = names[i]
        for j in np.flatnonzero(numbers < 0):
            numbers[j], count = count, count + 1
        for j, number in enumerate(numbers):
            tracks[int(number)] = (t, faces.boxes[j])
        linked.append(replace(faces, tracks=numbers))
    return linked


def fill_gaps(frames: Sequence[Faces]) -> list[Faces]:
    """Add faces in the gaps of their tracks.

    Detectors lose a face for some frames when it blurs or turns. The added box encloses
    the track's boxes before and after the gap; its score is 0.

    Args:
        frames: Faces with tracks, as :func:`link_faces` returns them.

    Returns:
        The same faces and the added ones.
    """
    added: list[list[tuple[np.ndarray, int]]] = [[] for _ in frames]
    seen: dict[int, tuple[int, np.ndarray]] = {}
    for t, faces in enumerate(frames):
        for box, track in zip(faces.boxes, faces.tracks.tolist(), strict=True):
            if track in seen:
                before, last = seen[track]
                hull = enclosing_box(np.stack([last, box]))
                for missed in range(before + 1, t):
                    added[missed].append((hull, track))
            seen[track] = (t, box)
    filled = []
    for faces, more in zip(frames, added, strict=True):
        if more:
            between = Faces(
                np.stack([box for box, _ in more]),
                np.zeros(len(more), np.float32),
                np.full((len(more), 5, 2), np.nan, np.float32),
                np.array([track for _, track in more], np.int32),
                examined=faces.examined,
            )
            faces = Faces.concatenate([faces, between])
        filled.append(faces)
    return filled
