"""Finds the weight files on which a stage depends, and detects their changes."""

import hashlib
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ['fingerprint', 'named_weights']

# Settings that name a file of weights, at any place of a config.
_WEIGHTS = ('checkpoint', 'load_from', 'weights')


def named_weights(settings: Any) -> Iterator[Path]:
    """Yield the weight files that settings name, without addresses."""
    items = settings.items() if isinstance(settings, dict) else enumerate(settings)
    for key, value in items:
        if isinstance(value, (dict, list, tuple)):
            yield from named_weights(value)
        elif key in _WEIGHTS and isinstance(value, str) and value:
            if '://' not in value:
                yield Path(value)


def fingerprint(path: Path) -> str | None:
    """Return the fingerprint of a weight file; None if it does not exist.

    For a file of PyTorch it uses the checksums inside the file.
    """
    if not path.is_file():
        return None
    stat = path.stat()
    return _fingerprint(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _fingerprint(path: Path, size: int, time: int) -> str:
    digest = hashlib.sha256()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for record in archive.infolist():
                # The first folder is named after the file.
                name = record.filename.partition('/')[2]
                digest.update(f'{name} {record.CRC} {record.file_size}\n'.encode())
    else:
        with open(path, 'rb') as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()
