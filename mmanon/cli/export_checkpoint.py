"""Taking checkpoints apart, as ``mmanon export`` and ``tools/export_checkpoint.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmanon.version import __version__

from .run_config import enter_training

__all__ = ['main']

DESCRIPTION = """\
Take a trained checkpoint apart: a plain detector, and the modifier alone.

    mmanon export work_dirs/mini/joint/epoch_7.pth \\
        --detector detector.pth --modifier modifier.pth

The detector's file is a plain mmaction2 or mmdet checkpoint. The modifier's file holds
its weights (the average of M where there is one) and loads by
init_cfg=dict(type='Pretrained', checkpoint='modifier.pth').
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='checkpoint of a training')
    parser.add_argument('--detector', type=Path, help='file for the plain detector')
    parser.add_argument('--modifier', type=Path, help='file for the modifier')
    args = parser.parse_args(argv)
    if not (args.detector or args.modifier):
        parser.error('name --detector, --modifier or both')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Take a checkpoint apart.

    Returns:
        int: 0.

    Raises:
        SystemExit: When the file cannot be read, or has no such network.
    """
    args = parse_args(argv)
    enter_training()
    from mmanon.models.weight_files import DETECTOR, EMA, MODIFIER, load_weights

    try:
        state = load_weights(args.checkpoint)
        if args.detector:
            _save(state, DETECTOR, 'detector', args.detector)
        if args.modifier:
            averaged = any(name.startswith(EMA) for name in state)
            _save(state, EMA if averaged else MODIFIER, 'modifier', args.modifier)
    except KeyError as error:
        raise SystemExit(f'{args.checkpoint}: {error.args[0]}') from None
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    return 0


def _save(state: dict, prefix: str, kind: str, out: Path) -> None:
    from mmanon.models.weight_files import extract_part, save_weights

    part = extract_part(state, prefix)
    save_weights(out, part, mmanon_version=__version__, exported=kind)
    print(f'{kind}: {len(part)} tensors in {out}')
