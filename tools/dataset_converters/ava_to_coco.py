"""Convert annotations from the format of AVA to that of COCO, for mmdet's detectors.

    python tools/dataset_converters/ava_to_coco.py data/mini/annotations/train.csv \
        --labels data/mini/annotations/actions.pbtxt --frames data/mini/rawframes

A person with several actions at once gets a box for each action, because a box has one
class in mmdet. A detector such as Faster R-CNN, which matches a prediction with only
one of several equal boxes, learns only the first action.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from mmanon.datasets.formats.ava_reader import AvaBoxes, read_ava_boxes, read_label_map
from mmanon.datasets.formats.ava_writer import Annotation
from mmanon.datasets.formats.coco import write_coco


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('annotations', type=Path, help='CSV file in the format of AVA')
    parser.add_argument(
        '--labels', type=Path, required=True, help='label map of the actions, .pbtxt'
    )
    parser.add_argument(
        '--frames', type=Path, required=True, help='folder of the folders of frames'
    )
    parser.add_argument(
        '--out', type=Path, help='JSON file (default: next to the annotations)'
    )
    parser.add_argument(
        '--template',
        default='img_{:05d}.jpg',
        help='file name of a frame (default: %(default)s)',
    )
    parser.add_argument(
        '--fps',
        type=int,
        default=1,
        help='frames per unit of the timestamps: 30 for AVA (default: 1, if timestamps '
        'are frame numbers)',
    )
    parser.add_argument(
        '--timestamp-start',
        type=int,
        default=1,
        help='timestamp of frame 1: 900 for AVA (default: %(default)s)',
    )
    args = parser.parse_args(argv)
    args.out = args.out or args.annotations.with_suffix('.json')
    if args.fps < 1:
        parser.error('--fps must be at least 1')
    return args


def to_coco(
    lines: AvaBoxes,
    names: dict[int, str],
    frames: Path,
    out: Path,
    template: str = 'img_{:05d}.jpg',
    fps: int = 1,
    timestamp_start: int = 1,
) -> None:
    """Write AVA's lines in the format of COCO; ``file_name`` is relative to ``frames``.

    Raises:
        FileNotFoundError: If an annotated frame does not exist.
        ValueError: If an action has no name.
    """
    labels = {number: label for label, number in enumerate(names, 1)}
    files: dict[str, dict[int, str]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    annotations = []
    for i, video in enumerate(lines.videos):
        timestamp, number = int(lines.timestamps[i]), int(lines.ids[i])
        if number not in labels:
            raise ValueError(
                f'video {video!r}, timestamp {timestamp}: action {number} is not in '
                'the label map'
            )
        frame = (timestamp - timestamp_start) * fps + 1
        name = f'{video}/{template.format(frame)}'
        files.setdefault(video, {})[frame] = name
        sizes[video] = _size(frames / name)
        box = tuple(lines.boxes[i].clip(0, 1).tolist())
        annotations.append(Annotation(video, frame, box, labels[number], person=0))
    write_coco(out, files, sizes, annotations, list(names.values()))


def _size(path: Path) -> tuple[int, int]:
    """Read width and height from the header of an image file."""
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is annotated but does not exist: see --frames, --template, --fps '
            'and --timestamp-start'
        )
    with Image.open(path) as image:
        return image.size


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        lines = read_ava_boxes(args.annotations)
        to_coco(
            lines,
            read_label_map(args.labels),
            args.frames,
            args.out,
            args.template,
            args.fps,
            args.timestamp_start,
        )
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    print(f'{args.out}: {len(lines)} boxes')


if __name__ == '__main__':
    main()
