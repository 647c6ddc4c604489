"""Files of weights: read without running code, written whole, and named if broken."""

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
"""What the names of each network's weights begin with in a training checkpoint."""

# Where a checkpoint's meta tells of its modifier.
_CARD = 'modifier_card'
# What a file of another kind begins with.
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
    """Read the weights of a checkpoint, and nothing that could run code.

    Args:
        path (str or Path): A state dict, or a checkpoint of mmengine.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is another kind of file, incomplete, or holds more than
            weights, numbers and mmengine's logs; the message says what it seems to be.
    """
    checkpoint = load_checkpoint(path)
    return checkpoint.get('state_dict', checkpoint)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a whole checkpoint; see :func:`load_weights`."""
    return _read(Path(path).expanduser())


def check_checkpoint(path: str | Path) -> dict[str, Any]:
    """Make sure that a checkpoint can be read, before anything long begins.

    Weights stay on the disk, so that this takes no time and no memory to speak of.

    Args:
        path (str or Path): A checkpoint; an address with ``://`` is not looked at.

    Returns:
        dict: What it holds; nothing of an address.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: As :func:`load_weights` does.
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
    # PyTorch has many errors for what may be wrong in a file.
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
        return 'a web page, such as an error in place of a download: fetch it again'
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
            'a TorchScript program, which is run to be loaded: save the state dict '
            'of its model'
        )
    if not any(name.endswith('data.pkl') for name in names):
        return 'a zip archive: unpack it first'
    return None


def _is_text(head: bytes) -> bool:
    text = head.decode(errors='ignore')
    # A character may be cut at the end.
    return '\x00' not in text and len(text.encode()) > len(head) - 4


def _refusal(path: Path, said: str) -> str:
    named = re.search(r'GLOBAL ([\w.]+)', said)
    if named is None:
        return (
            f'{path} holds no weights of PyTorch: it is damaged, or another kind of '
            'file; fetch it again'
        )
    return (
        f'{path} holds objects of {named[1]} beside weights, and is not loaded, as it '
        'could run code of whoever made it: ask for a file of weights alone, as '
        'torch.save(model.state_dict(), file) writes'
    )


def _logs() -> list:
    """Contents of mmengine's checkpoints other than tensors and numbers."""
    core = getattr(np, '_core', None) or np.core
    logs = [
        HistoryBuffer,
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        np.ndarray,
        np.dtype,
        *{type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u4')},
    ]
    # A log names its statistics by getattr, which could name anything.
    return [*logs, (_statistic, 'builtins.getattr')]


def _statistic(owner: object, name: str) -> object:
    if owner is not HistoryBuffer:
        raise TypeError(f'a checkpoint may not ask for {name!r} of {owner!r}')
    return getattr(owner, name)


def save_weights(path: str | Path, state: Mapping[str, Tensor], **meta: Any) -> None:
    """Write weights as a checkpoint of mmengine's, whole or not at all.

    Args:
        path (str or Path): The file; its folder is made.
        state (Mapping): Weights by their names.
        **meta: Their description: texts, numbers, and lists and dicts of these.
    """
    with written_whole(Path(path)) as beside, open(beside, 'wb') as file:
        # A file by its name would have that name in it, and bytes of its own each time.
        torch.save(dict(meta=dict(meta), state_dict=dict(state)), file)


def modifier_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """A modifier's weights, from its own file or a training checkpoint.

    Args:
        checkpoint (Mapping): What :func:`load_checkpoint` returned.

    Returns:
        dict[str, Tensor]: By the modifier's own names; of its average, where there is
        one.
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
    """The card of a checkpoint's modifier, or None if it has none.

    Args:
        checkpoint (Mapping): What :func:`load_checkpoint` returned.

    Raises:
        ValueError: When the card is wrong or of a later version.
    """
    meta = checkpoint.get('meta')
    said = meta.get(_CARD) if isinstance(meta, Mapping) else None
    return None if said is None else ModifierCard.from_dict(said)


def extract_part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one network, by its own names.

    Raises:
        KeyError: When there are none.
    """
    part = {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix)
    }
    if not part:
        raise KeyError(f'the checkpoint has no weights named {prefix}*')
    return part
