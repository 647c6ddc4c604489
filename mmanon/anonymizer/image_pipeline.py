"""Anonymize images: arrays, image files, and animations frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mmanon.face_detectors.suppression import suppress
from mmanon.structures.faces import Faces
from mmanon.tracking.scene_cuts import thumbnail
from mmanon.utils.atomic_write import written_whole
from mmanon.utils.resampling import to_grey

from .face_finding import Find
from .face_search import Picture
from .io.image_files import (
    ImageFile,
    as_colour,
    open_image,
    write_frames,
    write_image,
)
from .io.sources import Source
from .mask_planner import FaceMask, FramePlan, tilts
from .other_kinds import joined_plan
from .pipeline import FacePipeline
from .result import AnonymizationResult

__all__ = ['ImagePipeline']

_RATE = 1  # frames per second: the frames of a GIF may differ, so each is examined
# A photograph whose longer side is at most so many pixels is also examined enlarged, by
# this factor, to find small faces; the score of a face may then be lower by _LESS_SURE.
# Of 82 labelled faces of 12 to 24 pixels, this finds 75, and 50 without it; the false
# detections are 16 in 278 frames, and 3 without it (tools/covering).
_ENLARGED_UP_TO, _ENLARGED, _LESS_SURE = 2000, 1.5, 0.05
_SAME_FACE = 0.3  # IoU from which two searches have found the same face
_STRIP = 256  # rows


class ImagePipeline:
    """Anonymizes images and writes them in their own format.

    Args:
        faces (FacePipeline): Finds, plans and draws.
        keep_metadata (bool): Whether EXIF is kept, without thumbnails.
        largest (float): Maximum size of an image in megapixels.
    """

    def __init__(
        self,
        faces: FacePipeline,
        keep_metadata: bool = False,
        largest: float = 500,
    ) -> None:
        self.faces, self.keep_metadata, self.largest = faces, keep_metadata, largest

    def anonymize_array(
        self, number: int, image: np.ndarray, out_dir: Path | None
    ) -> AnonymizationResult:
        """Anonymize an array.

        Args:
            number (int): The number of the array in the inputs, from 0; it becomes the
                name of its file.
            image (np.ndarray): uint8 (H, W, 3) RGB or (H, W) grey; it is not changed.
            out_dir (Path, optional): The folder to write it to, as a PNG.

        Returns:
            AnonymizationResult: The result with the anonymized pixels.

        Raises:
            ValueError: When the array has another type or shape.
        """
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
            raise ValueError(
                'a picture must be uint8 (H, W, 3) RGB or (H, W) grey, got '
                f'{image.dtype} {image.shape}'
            )
        name = f'{number:08d}.png'
        self.faces.compositor.begin(name)
        result = AnonymizationResult('array', 'returned')
        pixels = self._still(image.copy(), name, self.faces.finder.open(name), result)
        result.covers = dict(self.faces.compositor.covers)
        result.image = pixels
        if out_dir is not None:
            result.out = out_dir / name
            with written_whole(result.out) as beside:
                write_image(pixels, ImageFile(result.out, 'PNG'), beside)
            result.status = 'written'
        return result

    def anonymize(
        self, source: Source, beside: Path, result: AnonymizationResult
    ) -> None:
        """Anonymize an image file.

        Args:
            source (Source): The file.
            beside (Path): The file to write.
            result (AnonymizationResult): The result, which is completed.

        Raises:
            InputError: When the file cannot be read, or a file of boxes does not
                contain it.
        """
        image = open_image(Path(source.where), self.keep_metadata, self.largest)
        result.removed, result.problems = image.removed, image.problems
        find = self.faces.finder.open(source.name, Path(source.where))
        self.faces.compositor.begin(source.name)
        if image.frames == 1:
            # No other variable keeps the pixels, because a large picture fills much
            # memory.
            pixels = [self._still(next(image.pixels()), source.name, find, result)]
            write_image(pixels.pop(), image, beside)
        else:
            write_frames(self._moving(image, source.name, find, result), image, beside)
        result.covers = dict(self.faces.compositor.covers)

    def _still(
        self, pixels: np.ndarray, name: str, find: Find, result: AnonymizationResult
    ) -> np.ndarray:
        """Anonymize one picture of any kind, in place."""
        coloured = pixels.ndim == 3 and pixels.shape[2] == 3
        colour = pixels if coloured else as_colour(pixels)
        eight = colour if colour.dtype == np.uint8 else (colour >> 8).astype(np.uint8)
        plan = self._plan_still(eight, find)
        others = [one.in_picture(eight, name) for one in self.faces.others]
        plan = joined_plan(plan, others, self.faces.others)
        plan = self.faces.regions.apply(plan, name)
        _tell_size(result, eight)
        result.count(plan)
        if plan.whole or plan.masks or plan.polygons:
            self.faces.draw(colour, plan)
            if not coloured:
                _put_colour(pixels, colour)
        return pixels

    def _plan_still(self, image: np.ndarray, find: Find) -> FramePlan:
        """The masks of one picture: all sure faces except those of spared people."""
        faces, least = find(0, image), self.faces.score_thr
        if self.faces.scales and max(image.shape) <= _ENLARGED_UP_TO:
            faces = _joined(faces, find(0, _enlarged(image)))
            least -= _LESS_SURE
        if not faces.examined:
            return FramePlan(None, True, [])
        size = image.shape[1::-1]
        boxes = faces.boxes.astype(np.float64) * np.tile(size, 2)
        leans = tilts(faces.landmarks, size)
        people = self.faces.people
        similarity = None if people is None else people.similarity(image, faces)
        masks, spared, here = [], 0, np.zeros(1, int)
        for place in np.flatnonzero(faces.scores >= least):
            if people is not None and similarity is not None:
                if people.visible(here, similarity[[place]]):
                    spared += 1
                    continue
            score, tilt = float(faces.scores[place]), float(leans[place])
            masks.append(FaceMask(boxes[place], -1, True, score, tilt))
        return FramePlan(None, False, masks, spared)

    def _moving(
        self, image: ImageFile, name: str, find: Find, result: AnonymizationResult
    ) -> Iterator[np.ndarray]:
        pictures = (_picture_of(pixels) for pixels in image.pixels())
        for plan in self.faces.plan(pictures, find, name, _RATE):
            plan = self.faces.regions.apply(plan, name)
            _tell_size(result, plan.picture)
            result.count(plan)
            pixels = plan.picture.copy()
            colour = np.ascontiguousarray(pixels[..., :3])
            self.faces.draw(colour, plan)
            pixels[..., :3] = colour
            yield pixels


def _tell_size(result: AnonymizationResult, picture: np.ndarray) -> None:
    if result.boxes is not None:
        height, width = picture.shape[:2]
        result.boxes.size = (width, height)


def _enlarged(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    size = (round(_ENLARGED * width), round(_ENLARGED * height))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def _joined(one: Faces, other: Faces) -> Faces:
    """Join the faces of two searches of a picture."""
    both = Faces.concatenate([one, other])
    kept = suppress(both.boxes, both.scores, _SAME_FACE)
    return Faces(
        both.boxes[kept],
        both.scores[kept],
        both.landmarks[kept],
        both.tracks[kept],
        both.examined,
    )


def _picture_of(pixels: np.ndarray) -> Picture:
    colour = pixels[..., :3]
    size = (pixels.shape[1], pixels.shape[0])
    grey = to_grey(colour) if colour.shape[2] > 1 else colour[..., 0]
    # Each frame is examined at its full size, so the scale is ignored.
    return Picture(pixels, size, thumbnail(colour), lambda _: colour, grey)


def _put_colour(pixels: np.ndarray, colour: np.ndarray) -> None:
    """Write an RGB picture into one of any kind; alpha is kept."""
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        pixels[..., :3] = colour
        return
    levels = pixels if pixels.ndim == 2 else pixels[..., 0]
    # In strips, because the conversion to grey needs four times the memory.
    for top in range(0, len(levels), _STRIP):
        strip = colour[top : top + _STRIP]
        grey = to_grey(strip)
        # Pixels that were not drawn are grey already and must not be rounded again.
        same = (strip == strip[..., :1]).all(2)
        grey[same] = strip[..., 0][same]
        levels[top : top + _STRIP] = grey
