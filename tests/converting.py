"""Running the data set converters, and videos whose frames tell their number."""

import importlib.util
import sys
from pathlib import Path

import av
import cv2
import numpy as np


def load_tool(name):
    path = Path(__file__).parents[1] / 'tools/dataset_converters' / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def write_video(path, count, turn=0, metadata=None):
    """Frame t, as it is shown, has the bits of t as eight white or black stripes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w', format='mp4') as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height = (48, 64) if turn % 180 else (64, 48)
        stream.pix_fmt = 'yuv420p'
        if turn:
            stream.set_display_rotation(turn)
        for t in range(count):
            bits = np.unpackbits(np.uint8(t)) * 255
            image = np.broadcast_to(np.repeat(bits, 8)[None, :, None], (48, 64, 3))
            image = np.ascontiguousarray(np.rot90(image, -turn // 90))
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, 'rgb24')):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def index_of(image):
    stripes = image.reshape(48, 8, 8, 3).mean((0, 2, 3))
    return int(np.packbits(stripes > 127)[0])


def write_images(folder, count, template='{:05d}.jpg', size=(64, 48)):
    """Frame ``i`` of ``count`` has the stripes of the number ``i``, from 1."""
    folder.mkdir(parents=True)
    for i in range(1, count + 1):
        cv2.imwrite(str(folder / template.format(i)), stripes(i, size))


def stripes(number, size=(64, 48)):
    """An image of that width and height with the bits of ``number`` as stripes."""
    bits = np.repeat(np.unpackbits(np.uint8(number)) * 255, 8)
    image = np.broadcast_to(bits[None, :, None], (48, 64, 3)).astype(np.uint8)
    return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
