"""Find the inputs: files, folders, patterns, lists, streams and cameras."""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mmanon.utils.media_types import IMAGES, VIDEOS, is_hidden

__all__ = [
    'IMAGES',
    'STDIN',
    'VIDEOS',
    'Found',
    'InputError',
    'Source',
    'find_sources',
    'without_password',
]

# Formats that can be written. Any other video becomes Matroska, which supports all
# kinds of sound and subtitles.
_WRITTEN = {'.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi', '.ts'}


_NUMBERED = re.compile(r'%0?(\d*)d')

STDIN = '-'
"""The name of the standard input."""


class InputError(Exception):
    """An input cannot be anonymized; the message says why."""


@dataclass(frozen=True)
class Source:
    """One input.

    Attributes:
        where (str): A file, the address of a stream, or the number of a camera.
        name (str): Its path relative to the input folder, with ``/``. Face tables and
            JSON files of boxes use this name.
        kind (str): ``'image'``, ``'video'``, or ``'live'`` for a stream, a camera or
            the standard input.
    """

    where: str
    name: str
    kind: str

    def output(self, out_dir: Path, container: str | None = None) -> Path:
        """The path of the anonymized file.

        Args:
            out_dir (Path): The folder of all outputs.
            container (str, optional): Extension of videos. Defaults to that of the
                source, or ``mkv`` if its format cannot be written.

        Returns:
            Path: The file.
        """
        path = out_dir / self.name
        if self.kind == 'image':
            return path
        if container is not None:
            return path.with_suffix(f'.{container}')
        return path if path.suffix.lower() in _WRITTEN else path.with_suffix('.mkv')


class Found(NamedTuple):
    """The result of :func:`find_sources`.

    Attributes:
        sources (list[Source]): The inputs to anonymize.
        others (list[str]): Files in folders that are neither images nor videos.
        missing (list[tuple[str, str]]): Inputs that do not exist or cannot be used,
            each with the reason.
    """

    sources: list[Source]
    others: list[str]
    missing: list[tuple[str, str]]


def find_sources(
    inputs: str | Path | int | Source | Sequence[str | Path | int | Source],
    out_dir: Path | None = None,
) -> Found:
    """Find all images, videos, streams and cameras of ``inputs``.

    Args:
        inputs (str, Path, int, Source or a sequence of these): An image or video, a
            folder (searched with its subfolders), a pattern (``'clips/**/*.mp4'``),
            numbered images (``'frame_%05d.png'``), a ``.txt`` file with one of these
            per line (relative to the file's folder), the number of a camera, the
            address of a stream (``'rtsp://…'``), or ``'-'``, a video from the standard
            input.
        out_dir (Path, optional): The output folder. It is skipped when a folder or
            pattern is searched, so that outputs in it are not anonymized again.

    Returns:
        Found: The sources, other files and missing inputs.

    Raises:
        InputError: When there is no source at all.
    """
    if isinstance(inputs, (str, Path, int, Source)):
        inputs = [inputs]
    found = Found([], [], [])
    for item in inputs:
        if isinstance(item, Source):
            found.sources.append(item)
            continue
        try:
            # Sources are added one by one: those before an error are kept.
            found.sources.extend(_find(str(item), out_dir, found))
        except InputError as error:
            found.missing.append((str(item), str(error)))
    if found.missing and not found.sources:
        raise InputError('; '.join(sentence for _, sentence in found.missing))
    return found


def _find(name: str, out_dir: Path | None, found: Found) -> Iterator[Source]:
    path = Path(name).expanduser()
    if name == STDIN:
        yield Source(name, f'stdin-{_now()}.mp4', 'live')
    elif name.isdecimal() and not path.exists():
        yield Source(name, f'camera{name}-{_now()}.mp4', 'live')
    elif '://' in name:
        # The file name must not contain the user's name and password.
        place = name.split('://', 1)[1].split('?')[0].rsplit('@', 1)[-1]
        stem = re.sub(r'[^\w.-]+', '_', place).strip('_')
        yield Source(name, f'{stem}-{_now()}.mp4', 'live')
    elif path.is_dir():
        yield from _in_folder(path, path, out_dir, found)
    elif path.is_file() and path.suffix.lower() == '.txt':
        yield from _in_list(path, out_dir, found)
    elif path.is_file():
        yield _source(path, path.parent)
    elif _NUMBERED.search(path.name):
        yield from _in_sequence(path)
    elif glob.has_magic(name):
        yield from _in_pattern(str(path), out_dir, found)
    else:
        raise InputError(f'{name} does not exist')


def without_password(text: str) -> str:
    """Remove user names and passwords from addresses of streams in a text.

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
    folder: Path, root: Path, out_dir: Path | None, found: Found
) -> Iterator[Source]:
    avoided = None if out_dir is None else out_dir.resolve()
    for here, folders, files in os.walk(folder):
        # Symbolic links to folders are not followed, because they may form cycles.
        folders[:] = sorted(
            name
            for name in folders
            if not is_hidden(name) and Path(here, name).resolve() != avoided
        )
        for file in sorted(files):
            path = Path(here, file)
            if is_hidden(path):
                continue
            if path.suffix.lower() in IMAGES | VIDEOS:
                yield _source(path, root)
            else:
                found.others.append(str(path))


def _in_pattern(pattern: str, out_dir: Path | None, found: Found) -> Iterator[Source]:
    # The names of outputs are relative to the part of the path before the pattern.
    fixed = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    root = Path(*fixed)
    matched = sorted(glob.glob(pattern, recursive=True))
    if not matched:
        raise InputError(f'{pattern} matches no file')
    avoided = None if out_dir is None else out_dir.resolve()
    if avoided is not None and root.resolve().is_relative_to(avoided):
        avoided = None  # the whole pattern lies there, so the user means it
    for path in map(Path, matched):
        if not path.is_file():
            continue
        if avoided is not None and path.resolve().is_relative_to(avoided):
            continue
        if path.suffix.lower() in IMAGES | VIDEOS:
            yield _source(path, root)
        else:
            found.others.append(str(path))


def _in_sequence(pattern: Path) -> Iterator[Source]:
    """Images with numbers in their names, in the order of the numbers."""
    before, digits, after = _NUMBERED.split(pattern.name, maxsplit=1)
    number = rf'(\d{{{digits or 1},}})'
    name = re.compile(re.escape(before) + number + re.escape(after))
    numbered = []
    if pattern.parent.is_dir():
        for path in pattern.parent.iterdir():
            match = name.fullmatch(path.name)
            if match is not None:
                numbered.append((int(match[1]), path))
    if not numbered:
        raise InputError(f'{pattern} matches no file')
    for _, path in sorted(numbered):
        yield _source(path, pattern.parent)


def _in_list(path: Path, out_dir: Path | None, found: Found) -> Iterator[Source]:
    named = False
    for line in _lines(path):
        listed = _existing(path.parent, line)
        line = line.strip()
        if listed is None and (not line or line.startswith('#')):
            continue
        named = True
        try:
            if listed is None and ('://' in line or line.isdecimal()):
                yield from _find(line, out_dir, found)
            elif listed is None:
                yield from _find(
                    str(path.parent / Path(line).expanduser()), out_dir, found
                )
            elif not listed.is_relative_to(path.parent):
                yield from _find(str(listed), out_dir, found)
            # Files below the list's folder keep their subfolders.
            elif listed.is_dir():
                yield from _in_folder(listed, path.parent, out_dir, found)
            else:
                yield _source(listed, path.parent)
        except InputError as error:
            found.missing.append((line, str(error)))
    if not named:
        raise InputError(f'{path} lists no file')


def _lines(path: Path) -> list[str]:
    """The lines of a list; names may contain any bytes."""
    packed = path.read_bytes()
    if packed.startswith((b'\xff\xfe', b'\xfe\xff')):
        return packed.decode('utf-16', 'replace').splitlines()
    if b'\0' in packed:
        raise InputError(f'{path} is not a list of files, because it is no text file')
    return packed.decode('utf-8-sig', 'surrogateescape').splitlines()


def _existing(folder: Path, line: str) -> Path | None:
    """The file or folder with the name in a line, even if the name looks special."""
    for name in dict.fromkeys((line, line.strip())):
        if name.strip():
            path = folder / Path(name).expanduser()
            if path.exists():
                return path
    return None
