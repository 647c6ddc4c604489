"""The command ``mmanon export``, also ``tools/export_checkpoint.py``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmanon.structures.modifier_card import ModifierCard
from mmanon.version import __version__

from .run_config import enter_training

__all__ = ['main']

DESCRIPTION = """\
Split a training checkpoint into a plain detector and the modifier.

    mmanon export work_dirs/mini/joint/epoch_7.pth \\
        --detector detector.pth --modifier modifier.pth
    mmanon test CONFIG epoch_7.pth --out figures.json
    mmanon export epoch_7.pth --modifier modifier.pth \\
        --figures figures.json --licence "CC BY-NC 4.0"
    mmanon anonymize clips/ -o out --modifier modifier.pth

The detector's file is a plain mmaction2 or mmdet checkpoint. The modifier's file
contains its weights (the averaged ones, if the checkpoint has them) and its card:
config, size and margin of the crops, training data, licence and figures. It needs no
other file. A config loads it by init_cfg=dict(type='Pretrained',
checkpoint='modifier.pth').
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='checkpoint of a training')
    parser.add_argument('--detector', type=Path, help='file for the plain detector')
    parser.add_argument('--modifier', type=Path, help='file for the modifier')
    card = parser.add_argument_group("the modifier's card")
    card.add_argument(
        '--config',
        type=Path,
        help='training config, for an older checkpoint without a card',
    )
    card.add_argument(
        '--trained-on',
        metavar='TEXT',
        help='the faces and videos of its training (default: their paths in the '
        'config)',
    )
    card.add_argument('--licence', metavar='TEXT', help='licence of the weights')
    card.add_argument(
        '--figures',
        type=Path,
        metavar='JSON',
        help='the metrics that `mmanon test --out` has written for this checkpoint',
    )
    args = parser.parse_args(argv)
    if not (args.detector or args.modifier):
        parser.error('give --detector, --modifier or both')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Split a checkpoint.

    Returns:
        int: 0.

    Raises:
        SystemExit: When the file cannot be read, or has no such network.
    """
    args = parse_args(argv)
    enter_training()
    from mmanon.models.weight_files import (
        DETECTOR,
        EMA,
        MODIFIER,
        load_checkpoint,
        modifier_card,
    )

    try:
        checkpoint = load_checkpoint(args.checkpoint)
        state = checkpoint.get('state_dict', checkpoint)
        if args.detector:
            _save(state, DETECTOR, 'detector', args.detector)
        if args.modifier:
            card = _complete(modifier_card(checkpoint), args)
            averaged = any(name.startswith(EMA) for name in state)
            prefix = EMA if averaged else MODIFIER
            _save(state, prefix, 'modifier', args.modifier, card)
    except KeyError as error:
        raise SystemExit(f'{args.checkpoint}: {error.args[0]}') from None
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    return 0


def _complete(
    card: ModifierCard | None, args: argparse.Namespace
) -> ModifierCard | None:
    """The checkpoint's card with the values of the command line; or None."""
    if args.config is not None:
        card = _card_of_config(args.config)
    said = {
        'trained_on': args.trained_on,
        'licence': args.licence,
        'figures': None if args.figures is None else _read_figures(args.figures),
    }
    said = {name: value for name, value in said.items() if value is not None}
    if card is not None:
        return replace(card, **said)
    if said:
        raise ValueError(
            f'{args.checkpoint} does not describe its modifier: give the config of its '
            'training as --config'
        )
    print(
        f'{args.checkpoint} does not describe its modifier, so users of '
        f'{args.modifier} also need its config: give it as --config to include it'
    )
    return None


def _card_of_config(path: Path) -> ModifierCard:
    from mmengine.config import Config

    if not path.is_file():
        raise FileNotFoundError(f'config {path} does not exist')
    card = ModifierCard.from_config(Config.fromfile(path))
    if card is None:
        raise ValueError(f'{path} contains no modifier')
    return card


def _read_figures(path: Path) -> dict[str, float]:
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None


def _save(
    state: dict, prefix: str, kind: str, out: Path, card: ModifierCard | None = None
) -> None:
    from mmanon.models.weight_files import extract_part, save_weights, tell_card

    part = extract_part(state, prefix)
    meta = dict(mmanon_version=__version__, exported=kind)
    if card is not None:
        tell_card(meta, card)
    save_weights(out, part, **meta)
    print(f'{kind}: {len(part)} tensors in {out}')
