"""TIFF files of all kinds, written value by value; none of them needs a library."""

import struct

import numpy as np

_FORMATS = {'u': 1, 'i': 2, 'f': 3}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5


def write_tiff(path, pixels, photometric=None, planes_apart=False, tile=None, turn=1):
    """Write an array, (H, W) or (H, W, C) of any numeric kind, as it is.

    Args:
        path: The file.
        pixels: The values as they are stored.
        photometric: Black is zero, or RGB, unless it is said.
        planes_apart: Whether each colour is stored in a plane of its own.
        tile: Side of square tiles, a multiple of 16; strips by default.
        turn: EXIF's number of an orientation.
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    values = pixels.reshape(height, width, channels)
    values = values.astype(values.dtype.newbyteorder('<'))
    if photometric is None:
        photometric = BLACK_IS_ZERO if channels < 3 else RGB
    planes = [values[..., [c]] for c in range(channels)] if planes_apart else [values]
    parts = [part for plane in planes for part in _parts(plane, tile)]
    bits = 8 * values.dtype.itemsize
    tags = {
        256: ('L', [width]),
        257: ('L', [height]),
        258: ('H', [bits] * channels),
        259: ('H', [1]),
        262: ('H', [photometric]),
        274: ('H', [turn]),
        277: ('H', [channels]),
        284: ('H', [2 if planes_apart else 1]),
        339: ('H', [_FORMATS[values.dtype.kind]] * channels),
    }
    if tile:
        tags |= {322: ('L', [tile]), 323: ('L', [tile])}
        places, sizes = 324, 325
    else:
        tags |= {278: ('L', [height])}
        places, sizes = 273, 279
    body = bytearray(b'II*\0' + b'\0' * 4)
    offsets = []
    for part in parts:
        offsets.append(len(body))
        body += part
    tags |= {places: ('L', offsets), sizes: ('L', [len(part) for part in parts])}
    entries = bytearray()
    for number, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f'<{len(numbers)}{kind}', *numbers)
        if len(packed) > 4:
            place = len(body)
            body += packed
            packed = struct.pack('<L', place)
        code = {'H': 3, 'L': 4}[kind]
        entries += struct.pack('<HHL', number, code, len(numbers)) + packed.ljust(
            4, b'\0'
        )
    body[4:8] = struct.pack('<L', len(body))
    body += struct.pack('<H', len(tags)) + entries + b'\0' * 4
    path.write_bytes(body)
    return path


def _parts(plane, tile):
    if not tile:
        return [plane.tobytes()]
    height, width = plane.shape[:2]
    beyond = ((0, -height % tile), (0, -width % tile), (0, 0))
    padded = np.pad(plane, beyond)
    return [
        padded[y : y + tile, x : x + tile].tobytes()
        for y in range(0, height, tile)
        for x in range(0, width, tile)
    ]
