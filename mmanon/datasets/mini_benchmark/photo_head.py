"""Heads cut out of photographs of real people, instead of drawn heads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log
from skimage.transform import estimate_transform

from mmanon.face_detectors import BaseFaceDetector, build_face_detector
from mmanon.face_detectors.alignment import align_face, find_face
from mmanon.structures.landmark_template import TEMPLATE
from mmanon.utils.images import read_image
from mmanon.utils.media_types import IMAGES, is_image

from .canvas import Canvas, Color, ellipse
from .head_pose import Expression, HeadPose

__all__ = ['PhotoHead', 'Photographed', 'find_people', 'read_people', 'split_people']

# In ArcFace's template: the middle between the eyes, and half a head's height.
_EYES = np.array([56.0, 51.6])
_HALF_HEAD = 64.0
_MARGIN = 0.5
_SIDE = 168
# The average box of face detectors, in the face plane.
_FACE_BOX = ((-0.66, -0.6), (0.66, -0.6), (0.66, 1.02), (-0.66, 1.02))
_CUT = ellipse(0, -0.03, 0.95, 1.13)
_LEAST_SIDE = 160
_HELD_OUT_EVERY = 5
_TEST_EVERY = 4
# All grey photographs get the same tint of a warm lamp.
_TINT = np.array([1.08, 0.96, 0.86])


def _to_plane(template: np.ndarray) -> np.ndarray:
    return (template - _EYES) / _HALF_HEAD


@dataclass(frozen=True)
class PhotoHead:
    """A flat head from one photograph; open mouths and closed eyes are painted on it.

    Attributes:
        name: Name of the identity.
        picture: The photograph, aligned by five landmarks, uint8 (S, S, 3).
        mask: Opacity of the head, float32 (S, S) in [0, 1].
        marks: The landmarks in the face plane, see :mod:`.head_pose`, (5, 2).
        skin: Colour of the cheeks.
    """

    name: str
    picture: np.ndarray
    mask: np.ndarray
    marks: np.ndarray
    skin: Color

    depth = 0.0

    @classmethod
    def from_photograph(
        cls, name: str, photograph: np.ndarray, detector: BaseFaceDetector
    ) -> PhotoHead | None:
        """Find and cut out the head of a photograph.

        Args:
            name: Name of the identity.
            photograph: uint8 (H, W, 3) RGB.
            detector (BaseFaceDetector): Finds the landmarks.

        Returns:
            The head; None if no face is found.
        """
        least = min(photograph.shape[:2])
        if least < _LEAST_SIDE:
            scale = _LEAST_SIDE / least
            photograph = cv2.resize(
                photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
            )
        landmarks = find_face(photograph, detector)
        if landmarks is None:
            return None
        picture = align_face(photograph, landmarks, _SIDE, _MARGIN)
        if np.ptp(picture.astype(int), axis=2).max() < 3:
            picture = np.clip(picture * _TINT, 0, 255).astype(np.uint8)
        aligned = estimate_transform('similarity', landmarks, TEMPLATE)(landmarks)
        cheeks = _pixels(np.array([[-0.4, 0.2], [0.4, 0.45]])).astype(int)
        (x1, y1), (x2, y2) = cheeks
        skin = np.median(picture[y1:y2, x1:x2].reshape(-1, 3), axis=0)
        return cls(
            name,
            picture,
            _mask(photograph.shape[:2], landmarks),
            _to_plane(aligned),
            tuple(skin.tolist()),
        )

    @property
    def mouth(self) -> tuple[float, float]:
        """Middle of the mouth in the face plane."""
        u, v = self.marks[3:].mean(axis=0)
        return float(u), float(v)

    def face_box(self, pose: HeadPose) -> np.ndarray:
        """Return the box (4,) around the face from hairline to chin, in pixels."""
        corners = pose.place(np.array(_FACE_BOX))
        edges = (corners + np.roll(corners, -1, axis=0)) / 2
        return np.concatenate([edges.min(axis=0), edges.max(axis=0)])

    def landmarks(self, pose: HeadPose, expression: Expression) -> np.ndarray:
        """Return eyes, nose and corners of the mouth, (5, 2) in pixels, left first."""
        return pose.place(self.marks)

    def draw_behind(self, canvas: Canvas, pose: HeadPose) -> None:
        """Draw nothing: the photograph contains all hair."""

    def draw(
        self,
        canvas: Canvas,
        pose: HeadPose,
        expression: Expression,
        light_side: float = 0.0,
    ) -> None:
        """Paste the head, and paint an open mouth or closed eyes over it."""
        frame = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        origin, across, down = pose.place(_to_plane_of_picture(frame))
        to = np.stack([across - origin, down - origin, origin], axis=1)
        canvas.blend(self.picture, self.mask, to, outline=pose.place(_CUT))
        if expression.mouth_open > 0.05:
            self._paint_mouth(canvas, pose, expression.mouth_open)
        if expression.eyes_open < 0.3:
            for u, v in self.marks[:2]:
                lid = ellipse(u, v, 0.17, 0.1)
                canvas.polygon(pose.place(lid), self.skin, 0.9)
                lash = np.array([[u - 0.14, v + 0.02], [u, v + 0.06], [u + 0.14, v]])
                dark = tuple(c * 0.35 for c in self.skin)
                canvas.stroke(pose.place(lash), 0.05 * pose.unit, dark)

    def _paint_mouth(self, canvas: Canvas, pose: HeadPose, opening: float) -> None:
        u, v = self.mouth
        gap = 0.05 + 0.2 * opening
        lips = ellipse(u, v + 0.4 * gap, 0.24, gap + 0.05)
        canvas.polygon(pose.place(lips), tuple(c * 0.6 for c in self.skin))
        inside = ellipse(u, v + 0.4 * gap, 0.19, gap)
        canvas.polygon(pose.place(inside), (60, 20, 22))
        teeth = ellipse(u, v - 0.3 * gap, 0.14, 0.25 * gap)
        canvas.polygon(pose.place(teeth), (236, 230, 220))


def _pixels(points: np.ndarray) -> np.ndarray:
    """Map points in the face plane to pixels of the aligned photograph."""
    template = points * _HALF_HEAD + _EYES
    return (template + 112 * _MARGIN) * _SIDE / (112 * (1 + 2 * _MARGIN))


def _to_plane_of_picture(pixels: np.ndarray) -> np.ndarray:
    template = pixels * 112 * (1 + 2 * _MARGIN) / _SIDE - 112 * _MARGIN
    return _to_plane(template)


def _mask(shape: tuple[int, int], landmarks: np.ndarray) -> np.ndarray:
    """Make an ellipse with soft edges, without parts outside the photograph."""
    shown = np.zeros((*shape, 3), np.uint8)
    shown[2:-2, 2:-2] = 255
    aligned = align_face(shown, landmarks, _SIDE, _MARGIN)[..., 0]
    ellipse = np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.fillPoly(ellipse, [np.round(_pixels(_CUT)).astype(np.int32)], (255,))
    mask = np.minimum(ellipse, cv2.erode(aligned, np.ones((5, 5), np.uint8)))
    return cv2.GaussianBlur(mask, (0, 0), 2.5).astype(np.float32) / 255


@dataclass(frozen=True)
class Photographed:
    """A person with photographs.

    Attributes:
        name: Name of the identity.
        heads: One head for each photograph.
    """

    name: str
    heads: tuple[PhotoHead, ...]

    def appearance(self, rng: np.random.Generator) -> PhotoHead:
        """Return the head in a random photograph."""
        return self.heads[rng.integers(len(self.heads))]

    def held_out(self) -> tuple[Photographed, Photographed]:
        """Split the photographs: without every fifth one, and only these.

        Raises:
            ValueError: If there is only one photograph.
        """
        last = _HELD_OUT_EVERY - 1
        out = [h for i, h in enumerate(self.heads) if i % _HELD_OUT_EVERY == last]
        out = out or [self.heads[-1]]
        kept = [head for head in self.heads if not any(head is other for other in out)]
        if not kept:
            raise ValueError(
                f'{self.name} has one photograph with a face; a training identity '
                'needs at least two, one of them held out'
            )
        return Photographed(self.name, tuple(kept)), Photographed(self.name, tuple(out))


def find_people(folders: Iterable[str | Path]) -> dict[str, list[Path]]:
    """Find identity folders: all folders, at any depth, that contain photographs.

    Returns:
        The photographs by the name of the person, which is the path of the folder
        relative to the given one; both are sorted.

    Raises:
        FileNotFoundError: If a folder does not exist or contains no photograph.
        ValueError: If two people have the same name, or photographs are not in a folder
            of a person.
    """
    people: dict[str, list[Path]] = {}
    for root in map(Path, folders):
        photographs = sorted(filter(is_image, root.rglob('*')))
        if not photographs:
            raise FileNotFoundError(
                f'{root} has no folders of photographs ({", ".join(sorted(IMAGES))})'
            )
        found: dict[str, list[Path]] = {}
        for path in photographs:
            name = path.parent.relative_to(root).as_posix()
            if name == '.':
                raise ValueError(
                    f'{path} is in {root} itself; photographs belong in one folder '
                    'for each person inside it'
                )
            found.setdefault(name, []).append(path)
        twice = sorted(found.keys() & people.keys())
        if twice:
            raise ValueError(
                f'{root} has a person with a name that another folder has: {twice[0]}; '
                'rename one of the two'
            )
        people.update(found)
    return dict(sorted(people.items()))


def split_people(
    people: Sequence[str], train_names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Divide people into those to train on and those to test on.

    Args:
        people: All names, sorted.
        train_names: The names to train on; if empty, every fourth person is for
            testing.

    Raises:
        ValueError: If a training name is not among the people, or a part is empty.
    """
    unknown = sorted(set(train_names) - set(people))
    if unknown:
        raise ValueError(
            f'there are no photographs of the training identity {unknown[0]}; there '
            f'are photographs of {", ".join(people[:5])} …'
        )
    if train_names:
        train = [name for name in people if name in set(train_names)]
    else:
        last = _TEST_EVERY - 1
        train = [name for i, name in enumerate(people) if i % _TEST_EVERY != last]
    test = [name for name in people if name not in set(train)]
    if not train or not test:
        raise ValueError(
            f'{len(people)} people leave {len(train)} to train and {len(test)} to '
            'test on; name test people by --test-faces or training names by '
            '--train-names'
        )
    return train, test


def read_people(
    people: dict[str, list[Path]],
    detector: dict,
    most: int,
    each: Callable[[Callable, Iterable], Iterable],
) -> list[Photographed]:
    """Cut the heads out of photographs; photographs without a face are left out.

    Args:
        people: Photographs by the names of people.
        detector: Config of the face detector.
        most: Largest number of photographs to use of a person.
        each: A ``map`` to read photographs with.

    Raises:
        ValueError: If a photograph cannot be read, or no face is found in any
            photograph of a person.
    """
    jobs = [(name, path) for name, paths in people.items() for path in paths[:most]]
    heads: dict[str, list[PhotoHead]] = {name: [] for name in people}
    read = partial(_read_head, detector=tuple(sorted(detector.items())))
    for (name, path), head in zip(jobs, each(read, jobs), strict=True):
        if head is None:
            print_log(f'no face found in {path}', 'current', logging.WARNING)
        else:
            heads[name].append(head)
    for name, found in heads.items():
        if not found:
            raise ValueError(
                f'no face found in any photograph of {name} (the first is '
                f'{people[name][0]}); leave this folder out'
            )
    return [
        Photographed(name.replace('/', '_'), tuple(found))
        for name, found in heads.items()
    ]


def _read_head(job: tuple[str, Path], detector: tuple) -> PhotoHead | None:
    name, path = job
    photograph = read_image(path)
    if photograph is None:
        raise ValueError(f'{path} cannot be read as an image')
    return PhotoHead.from_photograph(name, photograph, _build_detector(detector))


@cache
def _build_detector(settings: tuple) -> BaseFaceDetector:
    return build_face_detector(dict(settings))
