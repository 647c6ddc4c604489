"""Photographs of known people, as aligned face crops."""

import hashlib
import logging
import os
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import Dataset

from mmanon.registry import DATASETS, TRANSFORMS
from mmanon.utils.media_types import IMAGES, files_in, is_hidden
from mmanon.utils.user_cache import user_cache

from .aligned_crops import UNREADABLE, AlignedCrops, CheckedImages, read_image

__all__ = ['FaceDraw', 'FaceIdentityDataset']

# Each process keeps decoded crops in memory if the whole set fits into this size.
MEMORY_BYTES = 256 * 2**20


class FaceDraw(NamedTuple):
    """An image that a sampler has drawn; position and seed determine its augmentation.

    Attributes:
        index: Index of the image in the data set.
        position: Position of the draw in the sampler's stream.
        seed: Seed of the stream.
    """

    index: int  # type: ignore[assignment]  # it hides the search of a tuple
    position: int
    seed: int


@DATASETS.register_module()
class FaceIdentityDataset(Dataset):
    """Face crops of people, with one folder of images for each person.

    With a detector, the images are photographs. In each, the most central face (large
    faces are preferred) is aligned by its five landmarks and cut out. A cache keeps the
    crops; they are made again only when a photograph, the geometry of the crops or the
    detector changes. Photographs without a detected face are left out. Run ``mmanon
    align-faces`` before a distributed training on many photographs; otherwise all
    processes wait for the first. Without a detector, the images are face crops of this
    ``margin``. Images that cannot be decoded are logged and left out.

    Items are ``dict(image=..., label=..., path=...)``: a float32 tensor (3, S, S) in
    [-1, 1], the number of the person in the sorted order of the folders, and the path
    of the image. ``metainfo['classes']`` holds the names of the people, ``labels`` the
    numbers of all items.

    Args:
        data_root (str or Path): Folder with one folder for each person, or several such
            folders with different people. People in the first of several are named
            ``0/<folder>``, those in the second ``1/<folder>``.
        crop_size (int): S, the side of a crop in pixels. Defaults to 256.
        margin (float): Enlargement of the face box on each side, as a fraction of its
            longer side. Defaults to 0.6.
        detector (dict, optional): Config of a face detector, such as
            ``dict(type='mmanon.MTCNNFaceDetector')``.
        cache_dir (str or Path, optional): Folder of the cache. It holds aligned crops
            in a folder ``<name of data_root>_<key of its path>_aligned``, or, for
            images that are already crops, the list of readable images in
            ``..._checked``. Defaults to ``faces`` in
            :func:`mmanon.utils.user_cache.user_cache`, or to the parent of the data
            root if such a folder exists there.
        identities (Sequence[str] or str, optional): Names of the people to use, or a
            text file with one name on each line. Defaults to all.
        min_images (int): Minimum number of images of a person; 2 if pairs are needed.
            Defaults to 1.
        flip_ratio (float): Probability of mirroring a drawn face. Defaults to 0.5.
        image_margin (float, optional): Margin of images that are already crops and
            wider than ``margin``; they are cut to ``margin``. Defaults to ``margin``.
        skip (Sequence[str]): Patterns of names of images to leave out, such as
            ``['second.*']``. Defaults to none.
        augmentation (dict, optional): Config of further changes of a drawn face, such
            as ``dict(type='mmanon.FaceAugmentation')``.
        test_mode (bool): Whether images stay unchanged. Defaults to False.

    Raises:
        FileNotFoundError: If the data root or the file of identities does not exist.
        ValueError: If there are no people, ``identities`` are unknown, or a person
            has too few images.
    """

    def __init__(
        self,
        data_root: str | Path | Sequence[str | Path],
        crop_size: int = 256,
        margin: float = 0.6,
        detector: dict | None = None,
        cache_dir: str | Path | None = None,
        identities: Sequence[str] | str | None = None,
        min_images: int = 1,
        flip_ratio: float = 0.5,
        test_mode: bool = False,
        image_margin: float | None = None,
        skip: Sequence[str] = (),
        augmentation: dict | None = None,
    ) -> None:
        if crop_size < 1 or margin < 0:
            raise ValueError(
                f'crop_size must be positive and margin not negative, got {crop_size} '
                f'and {margin}'
            )
        if image_margin is not None and (detector or image_margin < margin):
            raise ValueError(
                f'image_margin={image_margin} is for images that are already crops, '
                f'at least as wide as margin={margin}: leave out detector, or correct '
                'image_margin'
            )
        # The part of an image's side that is shown.
        self._share = 1.0
        if image_margin is not None:
            self._share = (1 + 2 * margin) / (1 + 2 * image_margin)
        self._augment = None
        if augmentation is not None and not test_mode:
            self._augment = TRANSFORMS.build(augmentation)
        self._roots = _read_roots(data_root)
        # The common parent folder of several roots.
        self.data_root = Path(os.path.commonpath(self._roots))
        self.crop_size = crop_size
        self.margin = margin
        self.flip_ratio = 0.0 if test_mode else flip_ratio
        people = self._find_people(identities)
        files = {
            name: [
                path
                for path in files_in(folder, IMAGES)
                if not any(fnmatch(path.name, pattern) for pattern in skip)
            ]
            for name, folder in people.items()
        }
        self._check_counts(files, min_images, 'images')
        paths = [path for images in files.values() for path in images]
        self._keeps = len(paths) * 3 * crop_size**2 <= MEMORY_BYTES
        self._kept: dict[Path, np.ndarray] = {}
        crops: dict[Path, Path] = {}
        skipped: dict[Path, str] = {}
        self._kept_in: list[Path] = []
        for root in self._roots:
            # Exactly two levels below its root: a root may be inside another.
            inside = [p for p in paths if p.parent.parent == root]
            usable, left_out = self._prepare(root, inside, detector, cache_dir)
            crops |= usable
            skipped |= left_out
        self.paths: list[Path] = [path for path in paths if path in crops]
        self._crops = [crops[path] for path in self.paths]
        left = {name: [p for p in files[name] if p in crops] for name in people}
        self._report(len(self.paths), len(people), skipped)
        self._check_counts(left, min_images, 'usable images')
        self.labels = np.repeat(
            np.arange(len(people)), [len(left[name]) for name in people]
        )
        self._classes = tuple(people)

    @property
    def metainfo(self) -> dict:
        """``classes``, the names of the people in the order of their numbers."""
        return dict(classes=self._classes)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, draw: int | FaceDraw) -> dict:
        """Return an image; equal draws of a sampler are augmented in the same way."""
        pixels, label = self.pixels(draw)
        index = draw.index if isinstance(draw, FaceDraw) else draw
        return dict(
            image=pixels.float() / 127.5 - 1, label=label, path=str(self.paths[index])
        )

    def pixels(self, draw: int | FaceDraw) -> tuple[Tensor, int]:
        """Return the image of an item as uint8 (3, S, S), and its label.

        Raises:
            ValueError: If the image cannot be decoded.
        """
        index = draw.index if isinstance(draw, FaceDraw) else draw
        crop = self._crops[index]
        image = self._kept.get(crop)
        if image is None:
            image = self._decode(crop)
        flip = False
        if isinstance(draw, FaceDraw):
            random = np.random.default_rng([draw.seed, draw.position])
            flip = random.random() < self.flip_ratio
            if self._augment is not None:
                image = self._augment(image, random)
        pixels = torch.from_numpy(image).permute(2, 0, 1).contiguous()
        if flip:
            pixels = pixels.flip(2)
        return pixels, int(self.labels[index])

    def versions_of(self, index: int, versions: int) -> list[Tensor]:
        """Return all augmented versions of an image, uint8 (3, S, S).

        Args:
            index (int): Index of the image.
            versions (int): ``versions`` of the :class:`FaceAugmentation`.
        """
        image = self.pixels(index)[0].permute(1, 2, 0).numpy()
        augment = self._augment
        found = [augment.version(image, k) for k in range(versions)] if augment else []
        made = [torch.from_numpy(one).permute(2, 0, 1).contiguous() for one in found]
        return [*made, *(one.flip(2) for one in made if self.flip_ratio)]

    def _prepare(
        self,
        root: Path,
        paths: list[Path],
        detector: dict | None,
        cache_dir: str | Path | None,
    ) -> tuple[dict[Path, Path], dict[Path, str]]:
        """Return the file of each image's face, and why other images have none."""
        if detector is not None or not self._keeps:
            kept = self._open_cache(root, paths, detector, cache_dir)
            self._kept_in.append(kept.folder)
            return kept.prepare(root, paths)
        crops, skipped = {}, {}
        for path in paths:
            try:
                self._decode(path)
            except (OSError, ValueError, cv2.error):
                skipped[path] = UNREADABLE
            else:
                crops[path] = path
        return crops, skipped

    def _open_cache(
        self,
        root: Path,
        paths: list[Path],
        detector: dict | None,
        cache_dir: str | Path | None,
    ) -> CheckedImages:
        """Open the cache for the images of a root.

        It is in ``cache_dir``, next to the root, or in the user's cache. Earlier
        versions stored it next to the root; it stays there if it is writable or
        complete.
        """
        real = root.resolve()
        key = hashlib.sha256(str(real).encode()).hexdigest()[:8]
        name = f'{real.name}_{key}_{"checked" if detector is None else "aligned"}'

        def open_in(place: Path) -> CheckedImages:
            if detector is None:
                return CheckedImages(place / name)
            return AlignedCrops(place / name, self.crop_size, self.margin, detector)

        if cache_dir is not None:
            return open_in(Path(cache_dir))
        beside = open_in(real.parent)
        if beside.folder.is_dir() and (
            os.access(beside.folder, os.W_OK) or beside.is_complete(root, paths)
        ):
            return beside
        return open_in(user_cache() / 'faces')

    def _decode(self, crop: Path) -> np.ndarray:
        """Read a face, uint8 (S, S, 3), and keep it if all fit into memory."""
        image = read_image(crop)
        if image is None:
            raise ValueError(f'{crop} cannot be decoded; restore or remove it')
        if self._share < 1:
            image = _middle(image, self._share)
        image = _to_square(image, self.crop_size)
        if self._keeps:
            self._kept[crop] = image
        return image

    def _find_people(self, identities: Sequence[str] | str | None) -> dict[str, Path]:
        """Return the folders of the people to use, by name, in order."""
        found: dict[str, Path] = {}
        for place, root in enumerate(self._roots):
            # Folders of the same name in two sets are two people.
            prefix = f'{place}/' if len(self._roots) > 1 else ''
            found |= {f'{prefix}{path.name}': path for path in _folders(root)}
        if identities is None:
            return found
        if isinstance(identities, (str, Path)):
            lines = Path(identities).read_text(encoding='utf-8').splitlines()
            identities = [line.strip() for line in lines if line.strip()]
        missing = sorted(set(identities) - set(found))
        if missing or not identities:
            raise ValueError(
                f'identities has {missing[:5] or "no name"}, but {self._shown()} '
                f'holds {len(found)} people: {list(found)[:5]} ...'
            )
        return {name: found[name] for name in found if name in set(identities)}

    def _shown(self) -> str:
        return ', '.join(map(str, self._roots))

    def _check_counts(
        self, files: dict[str, list[Path]], min_images: int, kind: str
    ) -> None:
        least = max(min_images, 1)
        few = {
            name: len(images) for name, images in files.items() if len(images) < least
        }
        if few:
            some = ', '.join(f'{name} has {few[name]}' for name in list(few)[:5])
            raise ValueError(
                f'{len(few)} of the {len(files)} people in {self._shown()} have fewer '
                f'{kind} than {least} ({", ".join(sorted(IMAGES))}): {some}. Add '
                'images, or name the other people by `identities`'
            )

    def _report(self, count: int, people: int, skipped: dict[Path, str]) -> None:
        message = f'{self._shown()}: {count} faces of {people} people'
        if self._kept_in:
            message += f', kept in {", ".join(map(str, self._kept_in))}'
        for reason in sorted(set(skipped.values())):
            names = [
                path.relative_to(self.data_root).as_posix()
                for path, why in skipped.items()
                if why == reason
            ]
            more = f' and {len(names) - 20} more' if len(names) > 20 else ''
            message += f'; {len(names)} images left out, {reason}: '
            message += ', '.join(names[:20]) + more
        level = logging.WARNING if skipped else logging.INFO
        print_log(message, logger='current', level=level)


def _read_roots(data_root: str | Path | Sequence[str | Path]) -> list[Path]:
    several = [data_root] if isinstance(data_root, (str, Path)) else data_root
    roots = [Path(root) for root in several]
    real = [root.resolve() for root in roots]
    if not roots or len(set(real)) < len(real):
        raise ValueError(
            'data_root must name a folder, or several different ones, '
            f'got {[str(root) for root in roots]}'
        )
    return roots if len(roots) == 1 else [root.absolute() for root in roots]


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise FileNotFoundError(
            f'data_root {root} is not a folder; it must hold one folder of images for '
            'each person'
        )
    found = [path for path in root.iterdir() if path.is_dir() and not is_hidden(path)]
    if not found:
        raise ValueError(
            f'data_root {root} holds no folders; it must hold one folder of images '
            'for each person'
        )
    return sorted(found, key=lambda path: path.name)


def _middle(image: np.ndarray, share: float) -> np.ndarray:
    """Cut the middle square out of an image: this share of its longer side."""
    side = max(image.shape[:2])
    kept = max(1, round(side * share))
    return cv2.getRectSubPix(
        image, (kept, kept), ((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
    )


def _to_square(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    if height != width:
        # Pad, do not stretch: a face keeps its proportions.
        tall, wide = max(width - height, 0), max(height - width, 0)
        image = cv2.copyMakeBorder(
            image,
            tall // 2,
            tall - tall // 2,
            wide // 2,
            wide - wide // 2,
            cv2.BORDER_REPLICATE,
        )
    side = len(image)
    if side == size:
        return image
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=way)
