"""Reads weight files without running their code, and writes them completely."""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from mmanon.structures.modifier_card import ModifierCard
from mmanon.utils.atomic_write import written_whole

__all__ = [
    'DETECTOR',
    'DISCRIMINATOR',
    'EMA',
    'MODIFIER',
    'check_checkpoint',
    'extract_part',
    'load_checkpoint',
    'load_weights',
    'modifier_card',
    'modifier_weights',
    'save_weights',
    'tell_card',
]

DETECTOR, MODIFIER, DISCRIMINATOR, EMA = (
    'detector.',
    'modifier.',
    'discriminator.',
    'modifier_ema.module.',
)
"""The prefixes of each network's weights in a training checkpoint."""

# The key of the modifier's card in the meta of a checkpoint.
_CARD = 'modifier_card'
# The first bytes of files of other kinds.
_BEGINNINGS = (
    (b'version https://git-lfs', 'a pointer of Git LFS: fetch it by `git lfs pull`'),
    (b'\x89PNG', 'a picture'),
    (b'\xff\xd8\xff', 'a picture'),
    (b'\x89HDF', 'a file of HDF5, as Keras writes'),
    (b'\x1f\x8b', 'a compressed archive: unpack it first'),
    (b'BZh', 'a compressed archive: unpack it first'),
    (b'7z\xbc\xaf', 'a compressed archive: unpack it first'),
    (b'%PDF', 'a PDF'),
)
_WEB_PAGE = re.compile(rb'\s*(<!doctype html|<html|<\?xml|<head)', re.IGNORECASE)
_CUT_SHORT = 'cut short, as by a download or a copy that was stopped: fetch it again'


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint without running code from the file.

    Args:
        path (str or Path): A state dict, or a checkpoint of mmengine.

    Returns:
        dict[str, Tensor]: The weights by their names, on the CPU.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is a file of another kind, is incomplete, or holds more than
            weights, numbers and mmengine's logs; the message says what it seems to be.
    """
    checkpoint = load_checkpoint(path)
    return checkpoint.get('state_dict', checkpoint)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a whole checkpoint; see :func:`load_weights`."""
    return _read(Path(path).expanduser())


def check_checkpoint(path: str | Path) -> dict[str, Any]:
    """Check that a checkpoint can be read, before a long run begins.

    The weights stay on the disk, so this takes little time and memory.

    Args:
        path (str or Path): A checkpoint; an address with ``://`` is not checked.

    Returns:
        dict: The content of the checkpoint; empty for an address.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: As in :func:`load_weights`.
    """
    if '://' in str(path):
        return {}
    file = Path(path).expanduser()
    # The format of PyTorch before 1.6 cannot be mapped.
    return _read(file, mmap=file.is_file() and zipfile.is_zipfile(file))


def _read(path: Path, mmap: bool = False) -> dict[str, Any]:
    if not path.exists():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    other = _other_kind(path)
    if other is not None:
        raise ValueError(f'{path} holds no weights of PyTorch: it seems to be {other}')
    try:
        with torch.serialization.safe_globals(_logs()):
            checkpoint = torch.load(
                path, map_location='cpu', weights_only=True, mmap=mmap
            )
    except pickle.UnpicklingError as error:
        raise ValueError(_refusal(path, str(error))) from None
    except EOFError:
        raise ValueError(f'{path} is {_CUT_SHORT}') from None
    # PyTorch raises many kinds of errors for damaged files.
    except Exception as error:
        said = str(error).splitlines()
        if 'unexpected EOF' in str(error):
            raise ValueError(f'{path} is {_CUT_SHORT}') from None
        raise ValueError(
            f'{path} cannot be read as weights of PyTorch and is probably damaged: '
            f'fetch it again ({type(error).__name__}: {said[0] if said else "no more"})'
        ) from None
    if not isinstance(checkpoint, Mapping):
        raise ValueError(
            f'{path} holds a {type(checkpoint).__name__}, not weights by their names: '
            'save the state dict of a model'
        )
    weights = checkpoint.get('state_dict', checkpoint)
    if not isinstance(weights, Mapping) or not any(
        map(torch.is_tensor, weights.values())
    ):
        raise ValueError(
            f'{path} has no weights, neither under `state_dict` nor at the top: it '
            f'holds {", ".join(map(str, list(checkpoint)[:6])) or "nothing"}'
        )
    return dict(checkpoint)


def _other_kind(path: Path) -> str | None:
    """What a file seems to be, or None if PyTorch may have written it."""
    if path.is_dir():
        return 'a folder: name a file in it'
    with open(path, 'rb') as file:
        head = file.read(512)
    if not head:
        return 'empty'
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if _WEB_PAGE.match(head):
        return 'a web page, perhaps an error page of a download: fetch it again'
    if head.startswith(b'PK'):
        return _other_archive(path)
    if head[8:9] == b'{' and b'"dtype"' in head:
        return 'a file of safetensors: save its weights by torch.save'
    if b'pytorch' in head[:32] and head[:1] == b'\x08':
        return 'an ONNX file'
    if head[:1] != b'\x80' and _is_text(head):
        return 'a text file'
    return None


def _other_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return f'a file of PyTorch that was {_CUT_SHORT}'
    if any(name.endswith('/constants.pkl') for name in names):
        return (
            'a TorchScript program, and loading it would run it: save the state dict '
            'of its model'
        )
    if not any(name.endswith('data.pkl') for name in names):
        return 'a zip archive: unpack it first'
    return None


def _is_text(head: bytes) -> bool:
    text = head.decode(errors='ignore')
    # The last character may be incomplete.
    return '\x00' not in text and len(text.encode()) > len(head) - 4


def _refusal(path: Path, said: str) -> str:
    named = re.search(r'GLOBAL ([\w.]+)', said)
    if named is None:
        return (
            f'{path} holds no weights of PyTorch: it is damaged or a file of another '
            'kind; fetch it again'
        )
    return (
        f'{path} holds objects of {named[1]} in addition to weights. It is not loaded, '
        'because it could run code of its author: ask for a file with weights only, as '
        'torch.save(model.state_dict(), file) writes it'
    )


def _logs() -> list:
    """The types in mmengine's checkpoints other than tensors and numbers."""
    core = getattr(np, '_core', None) or np.core
    logs = [
        HistoryBuffer,
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        np.ndarray,
        np.dtype,
        *{type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u4')},
    ]
    # The pickle of a log calls getattr, which could return anything: restrict it.
    return [*logs, (_statistic, 'builtins.getattr')]


def _statistic(owner: object, name: str) -> object:
    if owner is not HistoryBuffer:
        raise TypeError(f'a checkpoint may not ask for {name!r} of {owner!r}')
    return getattr(owner, name)


def save_weights(path: str | Path, state: Mapping[str, Tensor], **meta: Any) -> None:
    """Write weights as a checkpoint of mmengine, completely or not at all.

    Args:
        path (str or Path): The file; its folder is created.
        state (Mapping): Weights by their names.
        **meta: Their description: strings, numbers, and lists and dicts of these.
    """
    with written_whole(Path(path)) as beside, open(beside, 'wb') as file:
        # Given a path, torch.save would store the temporary name in the file, and the
        # same weights would give other bytes each time.
        torch.save(dict(meta=dict(meta), state_dict=dict(state)), file)


def modifier_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the modifier's weights in its own file or in a training checkpoint.

    Args:
        checkpoint (Mapping): The result of :func:`load_checkpoint`.

    Returns:
        dict[str, Tensor]: Weights by their names in the modifier; those of its average,
        if the checkpoint has one.
    """
    state = checkpoint.get('state_dict', checkpoint)
    for prefix in (EMA, MODIFIER):
        if any(name.startswith(prefix) for name in state):
            return extract_part(state, prefix)
    return state


def tell_card(meta: dict[str, Any], card: ModifierCard) -> None:
    """Add the modifier's card to a checkpoint's meta; see :func:`modifier_card`."""
    meta[_CARD] = card.to_dict()


def modifier_card(checkpoint: Mapping[str, Any]) -> ModifierCard | None:
    """Return the modifier's card in a checkpoint, or None if there is none.

    Args:
        checkpoint (Mapping): The result of :func:`load_checkpoint`.

    Raises:
        ValueError: If the card is invalid or of a later version.
    """
    meta = checkpoint.get('meta')
    said = meta.get(_CARD) if isinstance(meta, Mapping) else None
    return None if said is None else ModifierCard.from_dict(said)


def extract_part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights with a prefix, by their names without the prefix.

    Raises:
        KeyError: If no name has the prefix.
    """
    part = {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix)
    }
    if not part:
        raise KeyError(f'the checkpoint has no weights named {prefix}*')
    return part
