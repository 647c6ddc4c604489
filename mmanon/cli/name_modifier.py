"""The command ``mmanon name-modifier``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmanon.shipped import SEARCH_PATH, is_name
from mmanon.structures.modifier_card import ModifierCard

from .run_config import enter_training

if TYPE_CHECKING:
    import torch

    from mmanon.models.modifiers import BaseModifier

__all__ = ['main']

DESCRIPTION = f"""\
Give a modifier a name: write its two files into a folder of named modifiers.

    mmanon name-modifier modifier.pth NAME --folder modifiers/
    {SEARCH_PATH}=modifiers/ mmanon anonymize clips/ -o out --modifier NAME

NAME.onnx needs no PyTorch. NAME.pth contains the same weights, to continue a training
by init_cfg=dict(type='Pretrained', checkpoint='mmanon://NAME'). Both contain the
modifier's card. Weights are rounded to float16, which makes the files half as large;
the command prints how much this changes the output.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('modifier', type=Path, help='a file of `mmanon export`')
    parser.add_argument('name', metavar='NAME', help='the name of the modifier')
    parser.add_argument(
        '--folder',
        type=Path,
        required=True,
        metavar='DIR',
        help='the folder of named modifiers',
    )
    parser.add_argument('--licence', metavar='TEXT', help='licence of the weights')
    parser.add_argument(
        '--trained-on', metavar='TEXT', help='the faces and videos of its training'
    )
    parser.add_argument(
        '--feather',
        type=float,
        help="width of the blended edge, as a fraction of the crop's side",
    )
    args = parser.parse_args(argv)
    if not is_name(args.name):
        parser.error(
            f'a name consists of letters, digits, dots, - and _, and begins with a '
            f'letter or digit; got {args.name!r}'
        )
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files.

    Returns:
        int: 0; 1 when it failed.
    """
    args = parse_args(argv)
    enter_training()
    from mmanon.anonymizer.backends.onnx_modifier import export_modifier
    from mmanon.models.modifier_files import load_modifier
    from mmanon.models.weight_files import save_weights, tell_card
    from mmanon.version import __version__

    try:
        modifier, card = load_modifier(args.modifier)
        card = _completed(card, args)
        if not card.licence:
            raise ValueError(
                f'{args.modifier} does not contain the licence of its weights: give it '
                'as --licence'
            )
        changed = _round(modifier, card.geometry.crop_size)
        onnx, weights = (
            args.folder / f'{args.name}.{kind}' for kind in ('onnx', 'pth')
        )
        export_modifier(modifier, card, onnx)
        meta: dict = dict(mmanon_version=__version__, exported='modifier')
        tell_card(meta, card)
        state = {name: _halved(value) for name, value in modifier.state_dict().items()}
        save_weights(weights, state, **meta)
    except (OSError, ValueError, ImportError) as error:
        print(f'{Path(sys.argv[0]).name}: {error}', file=sys.stderr)
        return 1
    megabytes = [path.stat().st_size / 1e6 for path in (onnx, weights)]
    print(
        f'{onnx}: {megabytes[0]:.1f} MB; {weights}: {megabytes[1]:.1f} MB; rounding '
        f'changes the output for noise by at most {changed:.1e} of 2'
    )
    return 0


def _completed(card: ModifierCard, args: argparse.Namespace) -> ModifierCard:
    said = {name: getattr(args, name) for name in ('licence', 'trained_on')}
    said = {name: value for name, value in said.items() if value is not None}
    geometry = card.geometry
    if args.feather is not None:
        geometry = replace(geometry, feather=args.feather)
    return replace(card, geometry=geometry, **said)


def _round(modifier: BaseModifier, size: int) -> float:
    """Round weights to float16, and return the largest change of the output."""
    import torch

    generator = torch.Generator().manual_seed(0)
    faces = torch.rand(3, 3, size, size, generator=generator) * 2 - 1
    keys = torch.randn(3, modifier.key_size, generator=generator)
    given = (faces, keys) if modifier.key_size else (faces,)
    with torch.no_grad():
        modifier.eval()
        before = modifier(*given)
        for name, value in modifier.state_dict().items():
            if value.is_floating_point():
                value.copy_(value.half())
                if not value.isfinite().all():
                    raise ValueError(f'{name} has values too large for float16')
        return float((modifier(*given) - before).abs().max())


def _halved(value: torch.Tensor) -> torch.Tensor:
    return value.half() if value.is_floating_point() else value


if __name__ == '__main__':
    sys.exit(main())
