"""Face crops cut from photographs by their landmarks, and what is kept of them."""

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
# Raised when crops come out otherwise than before: what is cached is then made anew.
_VERSION = 1
_SAVE_EVERY = 1000
# The processes of a distributed run do not wait long for the first: NCCL gives up
# after ten minutes.
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
    """Which images can be decoded, found out once.

    ``index.parquet`` in the folder stores for each image its size and time when it was
    read, and the result. An image is read again when these change.

    Args:
        folder (Path): Where to keep the index.
    """

    doing = 'checking images'

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._made = json.dumps([_VERSION])

    def prepare(
        self, root: Path, paths: Sequence[Path]
    ) -> tuple[dict[Path, Path], dict[Path, str]]:
        """Read images, as far as that has not been done.

        In distributed runs the first process does it and the others wait, unless it
        would take long. Images on which reading failed for another reason than their
        content are tried again by every run of one process.

        Args:
            root (Path): The folder that names are relative to.
            paths (Sequence[Path]): Images inside it.

        Returns:
            tuple[dict, dict]: The files to take faces from by image, and why the
            others have none.

        Raises:
            OSError: When the folder cannot be written.
            RuntimeError: When a distributed run should not begin before this is done.
        """
        names = _names(root, paths)
        index = self._read_index()
        if is_main_process():
            try:
                self._bring_up_to_date(names, index)
            except Exception:
                barrier()  # the others wait there
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
        """Whether :meth:`prepare` would have nothing to read."""
        return not self._changed(_names(root, paths), self._read_index())

    def _file(self, path: Path, name: str) -> Path:
        """The file to take an image's face from."""
        return path

    def _start(self) -> None:
        """Called before the first image is read."""

    def _read(self, path: Path) -> tuple[str, np.ndarray | None]:
        """The result for an image, and the crop to store."""
        return (UNREADABLE if read_image(path) is None else USABLE), None

    def _keep(self, name: str, image: np.ndarray) -> None:
        """Store what is kept of an image."""

    def _advice(self, missing: int) -> str:
        return (
            f'{missing} images are not in the index of {self.folder} yet: before a '
            'distributed run, run `mmanon align-faces CONFIG` (on every '
            'machine that has a folder of its own)'
        )

    def _changed(self, names: dict[Path, str], index: dict) -> dict[Path, tuple]:
        """Images that have to be read, with their stamps."""
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
                f'cannot write to {self.folder} ({error.strerror}): name another place '
                'by `cache_dir` of the data set, or for all by XDG_CACHE_HOME'
            ) from None
        print_log(
            f'{self.doing}: {len(todo)} of {len(names)}, what comes of them is kept in '
            f'{self.folder}',
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
            # One bad image of many must not end the work on all, now and every time.
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
                f'{path} is damaged ({error}): all images are read anew',
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
    """A folder of aligned face crops, one folder inside it for each way to make them.

    Crops are PNG files next to the index. A missing crop is made again.

    Args:
        folder (Path): Where to keep the crops.
        crop_size (int): S.
        margin (float): By how much of its side the face box is enlarged on each side.
        detector (dict): Face detector; built only when there is something to find.
    """

    doing = 'aligning faces'

    def __init__(
        self, folder: Path, crop_size: int, margin: float, detector: dict
    ) -> None:
        self.crop_size = crop_size
        self.margin = margin
        self.detector = detector
        # Where a detector runs does not change what it finds.
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
        # Lightly packed: three times faster to write, a few percent larger.
        packed = cv2.imencode(
            '.png',
            cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_PNG_COMPRESSION, 1],
        )[1]
        write_whole(self.folder / f'{name}.png', packed.tobytes())


def _names(root: Path, paths: Sequence[Path]) -> dict[Path, str]:
    return {path: path.relative_to(root).as_posix() for path in paths}


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file; of a link to nowhere, what no file has."""
    try:
        stat = path.stat()
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns
