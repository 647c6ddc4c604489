"""What to anonymize: files, folders, patterns, lists, streams and cameras."""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmanon.utils.media_types import IMAGES, VIDEOS

__all__ = [
    'IMAGES',
    'STDIN',
    'VIDEOS',
    'InputError',
    'Source',
    'find_sources',
    'without_password',
]

# What ours is written as; any other kind of video becomes Matroska, which holds all
# kinds of sound and subtitles.
_WRITTEN = {'.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi', '.ts'}


STDIN = '-'
"""Names what is piped in."""


class InputError(Exception):
    """An input cannot be anonymized; the message says why."""


@dataclass(frozen=True)
class Source:
    """One thing to anonymize.

    Attributes:
        where (str): A file, the address of a stream, or the number of a camera.
        name (str): Its path below the folder that was asked for, with ``/``; what face
            tables and JSON files of boxes know it by.
        kind (str): ``'image'``, ``'video'``, or ``'live'`` for a stream or camera.
    """

    where: str
    name: str
    kind: str

    def output(self, out_dir: Path, container: str | None = None) -> Path:
        """Where the anonymized file belongs.

        Args:
            out_dir (Path): The folder of all outputs.
            container (str, optional): Extension of videos; by default the source's
                own, or ``mkv`` where that is not written.

        Returns:
            Path: The file.
        """
        path = out_dir / self.name
        if self.kind == 'image':
            return path
        if container is not None:
            return path.with_suffix(f'.{container}')
        return path if path.suffix.lower() in _WRITTEN else path.with_suffix('.mkv')


def find_sources(
    inputs: str | Path | int | Source | Sequence[str | Path | int | Source],
    out_dir: Path | None = None,
) -> tuple[list[Source], list[str]]:
    """Find all that ``inputs`` names.

    Args:
        inputs (str, Path, int, Source or a sequence of these): An image or video, a
            folder (searched with all folders in it), a pattern (``'clips/**/*.mp4'``),
            a ``.txt`` file with one of these a line (relative to its own folder), the
            number of a camera or the address of a stream (``'rtsp://…'``).
        out_dir (Path, optional): Left out where a folder is searched, so that outputs
            inside it are not anonymized again.

    Returns:
        tuple[list[Source], list[str]]: The sources, and files of folders that are
        neither images nor videos.

    Raises:
        InputError: When an input is not there, or names nothing.
    """
    if isinstance(inputs, (str, Path, int, Source)):
        inputs = [inputs]
    found: list[Source] = []
    others: list[str] = []
    for item in inputs:
        found.extend(
            [item] if isinstance(item, Source) else _find(str(item), out_dir, others)
        )
    return found, others


def _find(name: str, out_dir: Path | None, others: list[str]) -> Iterator[Source]:
    path = Path(name).expanduser()
    if name.isdecimal() and not path.exists():
        yield Source(name, f'camera{name}-{_now()}.mp4', 'live')
    elif '://' in name:
        # Name and password of who may watch stay out of the file's name.
        place = name.split('://', 1)[1].split('?')[0].rsplit('@', 1)[-1]
        stem = re.sub(r'[^\w.-]+', '_', place).strip('_')
        yield Source(name, f'{stem}-{_now()}.mp4', 'live')
    elif path.is_dir():
        yield from _in_folder(path, path, out_dir, others)
    elif path.is_file() and path.suffix.lower() == '.txt':
        yield from _in_list(path, out_dir, others)
    elif path.is_file():
        yield _source(path, path.parent)
    elif glob.has_magic(name):
        yield from _in_pattern(str(path), out_dir, others)
    else:
        raise InputError(f'{name} does not exist')


def without_password(text: str) -> str:
    """A text without the names and passwords in addresses of streams.

    Example:
        >>> without_password('rtsp://eve:secret@host/door cannot be opened')
        'rtsp://…@host/door cannot be opened'
    """
    return re.sub(r'(?<=://)[^/\s]*@', '…@', text)


def _now() -> str:
    return time.strftime('%Y%m%d-%H%M%S')


def _source(path: Path, root: Path) -> Source:
    name = path.relative_to(root).as_posix()
    suffix = path.suffix.lower()
    if suffix in IMAGES:
        return Source(str(path), name, 'image')
    if suffix in VIDEOS:
        return Source(str(path), name, 'video')
    raise InputError(
        f'{path} is neither an image ({", ".join(sorted(IMAGES))}) nor a video '
        f'({", ".join(sorted(VIDEOS))})'
    )


def _in_folder(
    folder: Path, root: Path, out_dir: Path | None, others: list[str]
) -> Iterator[Source]:
    avoided = None if out_dir is None else out_dir.resolve()
    for here, folders, files in os.walk(folder):
        # Symbolic links to folders are not followed: they may lead around for ever.
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith('.') and Path(here, name).resolve() != avoided
        )
        for file in sorted(files):
            path = Path(here, file)
            if path.suffix.lower() in IMAGES | VIDEOS and not file.startswith('.'):
                yield _source(path, root)
            else:
                others.append(str(path))


def _in_pattern(
    pattern: str, out_dir: Path | None, others: list[str]
) -> Iterator[Source]:
    # The tree in the output begins where the pattern does.
    fixed = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    root = Path(*fixed)
    matched = sorted(glob.glob(pattern, recursive=True))
    if not matched:
        raise InputError(f'{pattern} matches no file')
    for path in map(Path, matched):
        if path.is_file() and path.suffix.lower() in IMAGES | VIDEOS:
            yield _source(path, root)
        elif path.is_file():
            others.append(str(path))


def _in_list(path: Path, out_dir: Path | None, others: list[str]) -> Iterator[Source]:
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f'{path} is not a list of files: it is no UTF-8 text'
        ) from error
    lines = [line.strip() for line in lines]
    lines = [line for line in lines if line and not line.startswith('#')]
    if not lines:
        raise InputError(f'{path} lists no file')
    for line in lines:
        if '://' in line or line.isdecimal():
            yield from _find(line, out_dir, others)
            continue
        listed = path.parent / Path(line).expanduser()
        if listed.is_file() and listed.is_relative_to(path.parent):
            # Below the list's own folder the tree is kept.
            yield _source(listed, path.parent)
        else:
            yield from _find(str(listed), out_dir, others)
