"""Reads MATLAB files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from .problems import Problems

__all__ = ['read_mat']


def read_mat(path: Path, name: str, problems: Problems) -> Any:
    """Read one variable of a ``.mat`` file.

    If that fails, report a problem and return None. Arrays of one element become this
    element, and structures become objects with attributes.
    """
    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=False)
    except FileNotFoundError:
        problems.missing(path)
    except NotImplementedError:
        problems.unreadable(
            path, "it has MATLAB's v7.3 format (HDF5); save it again with '-v7'"
        )
    except (
        IndexError,  # The file ends within its header.
        MatReadError,
        OSError,
        TypeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        problems.unreadable(path, str(error))
    else:
        if name in content:
            return content[name]
        problems.wrong(path, f'it has no {name}')
    return None
