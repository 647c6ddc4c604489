"""Caches of aligned face crops, and of the list of readable images."""

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mmengine.dist import barrier, get_world_size, is_main_process
from mmengine.logging import print_log
from tqdm import tqdm

from mmanon.face_detectors.alignment import align_face, find_face
from mmanon.registry import MODELS
from mmanon.structures.landmark_template import TEMPLATE, TEMPLATE_SIDE  # noqa: F401
from mmanon.utils.atomic_write import write_whole, written_whole
from mmanon.utils.images import read_image

if TYPE_CHECKING:
    pass

__all__ = ['AlignedCrops', 'CheckedImages', 'align_face', 'find_face', 'read_image']

USABLE, ALIGNED = 'usable', 'aligned'
NO_FACE, UNREADABLE, FAILED = 'no face found', 'unreadable', 'failed: '
# Increase it when new crops differ from old ones: all cached crops are made again.
_VERSION = 1
_SAVE_EVERY = 1000
# The most images to read while the other processes of a distributed run wait: NCCL
# gives up after ten minutes.
_MOST_WHILE_OTHERS_WAIT = 300
_SCHEMA = pa.schema(
    [
        ('path', pa.string()),
        ('bytes', pa.int64()),
        ('mtime_ns', pa.int64()),
        ('outcome', pa.string()),
    ]
)


class _Entry(NamedTuple):
    bytes: int
    mtime_ns: int
    outcome: str


class CheckedImages:
    """Finds out once which images can be decoded.

    ``index.parquet`` in the folder stores for each image the size and the time of its
    file, and the result. An image is read again when its file changes.

    Args:
        folder (Path): The folder of the index.
    """

    doing = 'checking images'

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._made = json.dumps([_VERSION])

    def prepare(
        self, root: Path, paths: Sequence[Path]
    ) -> tuple[dict[Path, Path], dict[Path, str]]:
        """Read the images that have not been read yet.

        In distributed runs the first process reads them and the others wait; this is
        allowed for at most 300 images. If reading an image failed with an exception,
        each run with a single process tries it again.

        Args:
            root (Path): The folder to which names are relative.
            paths (Sequence[Path]): Images in this folder.

        Returns:
            tuple[dict, dict]: The file with the face of each usable image, and the
            reason why each other image is not usable.

        Raises:
            OSError: If the folder cannot be written.
            RuntimeError: If a distributed run has too many images to read.
        """
        names = _names(root, paths)
        index = self._read_index()
        if is_main_process():
            try:
                self._bring_up_to_date(names, index)
            except Exception:
                barrier()  # the other processes wait there
                raise
        barrier()
        if not is_main_process():
            index = self._read_index()
            missing = sum(name not in index for name in names.values())
            if missing:
                raise RuntimeError(self._advice(missing))
        usable, skipped = {}, {}
        for path, name in names.items():
            outcome = index[name].outcome
            if outcome in (USABLE, ALIGNED):
                usable[path] = self._file(path, name)
            else:
                skipped[path] = outcome
        return usable, skipped

    def is_complete(self, root: Path, paths: Sequence[Path]) -> bool:
        """Whether all images have been read."""
        return not self._changed(_names(root, paths), self._read_index())

    def _file(self, path: Path, name: str) -> Path:
        """The file with the face of an image."""
        return path

    def _start(self) -> None:
        """Prepare to read images; called before the first one."""

    def _read(self, path: Path) -> tuple[str, np.ndarray | None]:
        """Read an image; return its outcome and the crop to store."""
        return (UNREADABLE if read_image(path) is None else USABLE), None

    def _keep(self, name: str, image: np.ndarray) -> None:
        """Store the crop of an image."""

    def _advice(self, missing: int) -> str:
        return (
            f'{missing} images are not in the index of {self.folder} yet: before a '
            'distributed run, run `mmanon align-faces CONFIG` (on every '
            'machine with a folder of its own)'
        )

    def _changed(self, names: dict[Path, str], index: dict) -> dict[Path, tuple]:
        """The images to read, with size and time of their files."""
        alone = get_world_size() == 1
        todo = {}
        for path, name in names.items():
            stamp = _stamp(path)
            known = index.get(name)
            if known is None or known[:2] != stamp:
                todo[path] = stamp
            elif known.outcome.startswith(FAILED) and alone:
                todo[path] = stamp
            elif known.outcome == ALIGNED and not self._file(path, name).is_file():
                todo[path] = stamp
        return todo

    def _bring_up_to_date(self, names: dict[Path, str], index: dict) -> None:
        todo = self._changed(names, index)
        if not todo:
            return
        if get_world_size() > 1 and len(todo) > _MOST_WHILE_OTHERS_WAIT:
            raise RuntimeError(self._advice(len(todo)))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f'cannot write to {self.folder} ({error.strerror}): name another '
                'folder by `cache_dir` of the data set, or for all by XDG_CACHE_HOME'
            ) from None
        print_log(
            f'{self.doing}: {len(todo)} of {len(names)}; results go to {self.folder}',
            logger='current',
        )
        self._start()
        progress = tqdm(todo.items(), desc=self.doing, unit='img', disable=None)
        try:
            for count, (path, stamp) in enumerate(progress, 1):
                outcome = self._read_and_keep(path, names[path])
                index[names[path]] = _Entry(stamp[0], stamp[1], outcome)
                if count % _SAVE_EVERY == 0:
                    self._write_index(index)
        finally:
            self._write_index(index)

    def _read_and_keep(self, path: Path, name: str) -> str:
        try:
            outcome, image = self._read(path)
        except Exception as error:
            # A single bad image must not stop the work on all others.
            reason = ' '.join(f'{type(error).__name__} {error}'.split())
            return FAILED + reason[:200]
        if image is not None:
            self._keep(name, image)
        return outcome

    def _read_index(self) -> dict[str, _Entry]:
        path = self.folder / 'index.parquet'
        if not path.is_file():
            return {}
        try:
            columns = pq.read_table(path, schema=_SCHEMA).to_pydict()
        except (pa.ArrowException, OSError) as error:
            print_log(
                f'{path} is damaged ({error}): all images are read again',
                logger='current',
                level=logging.WARNING,
            )
            return {}
        entries = zip(
            columns['bytes'], columns['mtime_ns'], columns['outcome'], strict=True
        )
        return dict(
            zip(columns['path'], (_Entry(*one) for one in entries), strict=True)
        )

    def _write_index(self, index: dict[str, _Entry]) -> None:
        rows = [dict(path=name, **entry._asdict()) for name, entry in index.items()]
        schema = _SCHEMA.with_metadata({'made': self._made})
        with written_whole(self.folder / 'index.parquet') as beside:
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), beside)


class AlignedCrops(CheckedImages):
    """A cache of aligned face crops, with a subfolder for each geometry and detector.

    Crops are PNG files next to the index. A missing crop is made again.

    Args:
        folder (Path): The folder of the cache.
        crop_size (int): S, the side of a crop in pixels.
        margin (float): Enlargement of the face box on each side, as a fraction of its
            side.
        detector (dict): Config of the face detector, which is built only if needed.
    """

    doing = 'aligning faces'

    def __init__(
        self, folder: Path, crop_size: int, margin: float, detector: dict
    ) -> None:
        self.crop_size = crop_size
        self.margin = margin
        self.detector = detector
        # The device does not change the faces that the detector finds.
        settings = {key: one for key, one in detector.items() if key != 'device'}
        made = json.dumps(
            [_VERSION, crop_size, margin, settings], sort_keys=True, default=str
        )
        key = hashlib.sha256(made.encode()).hexdigest()[:12]
        super().__init__(Path(folder) / f'{crop_size}px_margin{margin:g}_{key}')
        self._made = made

    def _file(self, path: Path, name: str) -> Path:
        return self.folder / f'{name}.png'

    def _start(self) -> None:
        self._detector = MODELS.build(self.detector)

    def _read(self, path: Path) -> tuple[str, np.ndarray | None]:
        image = read_image(path)
        if image is None:
            return UNREADABLE, None
        landmarks = find_face(image, self._detector)
        if landmarks is None:
            return NO_FACE, None
        return ALIGNED, align_face(image, landmarks, self.crop_size, self.margin)

    def _keep(self, name: str, image: np.ndarray) -> None:
        # Low compression: three times faster to write, a few percent larger.
        packed = cv2.imencode(
            '.png',
            cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_PNG_COMPRESSION, 1],
        )[1]
        write_whole(self.folder / f'{name}.png', packed.tobytes())


def _names(root: Path, paths: Sequence[Path]) -> dict[Path, str]:
    return {path: path.relative_to(root).as_posix() for path in paths}


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file; (-1, -1) for a broken link."""
    try:
        stat = path.stat()
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns
