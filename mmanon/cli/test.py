"""The command ``mmanon test``, also ``tools/test.py``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from mmanon.utils.atomic_write import written_whole

from .run_checks import check_checkpoint, check_hooks
from .run_config import add_config_arguments, enter_training, load_config

__all__ = ['main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Test a checkpoint: the detector on modified videos, and the '
        'people that the discriminator still names.'
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=Path, help='JSON file for the metrics')
    parser.add_argument(
        '--plain',
        action='store_true',
        help='test a plain detector on original faces; required for a config without a '
        'hook that anonymizes',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0.

    Raises:
        SystemExit: When the config or the checkpoint does not fit.
    """
    args = parse_args(argv)
    enter_training()
    config = load_config(args)
    config.load_from = args.checkpoint
    config.resume = False
    check_hooks(config, args.config, args.plain, training=False)
    check_checkpoint(config, args.config)

    from mmengine.dist import is_main_process
    from mmengine.runner import Runner

    metrics = Runner.from_cfg(config).test()
    if args.out and is_main_process():
        with written_whole(args.out) as beside:
            beside.write_text(json.dumps(metrics, indent=2, default=float) + '\n')
    return 0
