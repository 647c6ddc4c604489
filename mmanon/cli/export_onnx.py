"""The command ``mmanon export-onnx``, also ``tools/export_onnx.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .run_config import enter_training

__all__ = ['main']

DESCRIPTION = """\
Write a modifier as an ONNX file, which needs no PyTorch.

    mmanon export-onnx modifier.pth - m.onnx
    mmanon export-onnx work_dirs/x/config.py work_dirs/x/epoch_20.pth m.onnx
    mmanon anonymize clips/ -o out --modifier m.onnx

A hand-crafted modifier has no weights: `mmanon export-onnx downsample - d.onnx`. The
file contains the modifier's card, and the guard that covers faces which the modifier
leaves nearly unchanged.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'modifier',
        help='a config file with a modifier, a file of `mmanon export`, or the name of '
        'a registered modifier',
    )
    parser.add_argument('weights', help='weights of a learned modifier, or -')
    parser.add_argument('out', type=Path, help='the output, *.onnx')
    args = parser.parse_args(argv)
    if args.out.suffix != '.onnx':
        parser.error(f'the output must be *.onnx, got {args.out}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 1 when it failed.
    """
    args = parse_args(argv)
    enter_training()
    from mmanon.anonymizer.backends.onnx_modifier import export_modifier
    from mmanon.anonymizer.backends.torch_modifier import build_modifier_and_card

    try:
        weights = None if args.weights == '-' else args.weights
        modifier, card = build_modifier_and_card(args.modifier, weights)
        difference = export_modifier(modifier, card, args.out)
    except (OSError, ValueError, ImportError) as error:
        print(f'{Path(sys.argv[0]).name}: {error}', file=sys.stderr)
        return 1
    geometry = card.geometry
    print(
        f'{args.out}: crops of {geometry.crop_size} pixels with a margin of '
        f'{geometry.margin:g}; ONNX Runtime and PyTorch differ by at most '
        f'{difference:.1e} of 2'
    )
    return 0
