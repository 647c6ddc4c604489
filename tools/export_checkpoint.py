"""Take a trained checkpoint apart: a plain detector, and the modifier alone.

    python tools/export_checkpoint.py work_dirs/mini/joint/epoch_7.pth \\
        --detector detector.pth --modifier modifier.pth

The detector's file is a plain mmaction2 or mmdet checkpoint. The modifier's file holds
its weights (the average of M where there is one) and loads by
``init_cfg=dict(type='Pretrained', checkpoint='modifier.pth')``.
"""

import argparse
from pathlib import Path

import mmanon
from mmanon.models.weight_files import (
    DETECTOR,
    EMA,
    MODIFIER,
    extract_part,
    load_weights,
    save_weights,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='checkpoint of tools/train.py')
    parser.add_argument('--detector', type=Path, help='file for the plain detector')
    parser.add_argument('--modifier', type=Path, help='file for the modifier')
    args = parser.parse_args()
    if not (args.detector or args.modifier):
        parser.error('name --detector, --modifier or both')
    return args


def save(state: dict, kind: str, out: Path) -> None:
    save_weights(out, state, mmanon_version=mmanon.__version__, exported=kind)
    print(f'{kind}: {len(state)} tensors in {out}')


def main() -> None:
    args = parse_args()
    try:
        state = load_weights(args.checkpoint)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    try:
        if args.detector:
            save(extract_part(state, DETECTOR), 'detector', args.detector)
        if args.modifier:
            averaged = any(name.startswith(EMA) for name in state)
            prefix = EMA if averaged else MODIFIER
            save(extract_part(state, prefix), 'modifier', args.modifier)
    except KeyError as error:
        raise SystemExit(f'{args.checkpoint}: {error.args[0]}') from None


if __name__ == '__main__':
    main()
