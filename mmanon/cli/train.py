"""The command ``mmanon train``, also ``tools/train.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .run_checks import check_checkpoint, check_hooks
from .run_config import add_config_arguments, enter_training, load_config

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Train a detector, a modifier and a discriminator together.',
        epilog='Ctrl-C saves a checkpoint and ends; --resume continues from it.',
    )
    add_config_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from the given checkpoint, or from the latest one in the work '
        'dir',
    )
    parser.add_argument(
        '--plain',
        action='store_true',
        help='train only the detector, on original faces; required for a config '
        'without a hook that anonymizes',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision (needs a GPU)'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not validate while training'
    )
    parser.add_argument(
        '--weights-only',
        action='store_true',
        help='save checkpoints without the states of the optimizers; the files are '
        'smaller, but a training cannot be resumed from them',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the detector's learning rate to the batch size",
    )
    parser.add_argument('--seed', type=int, help='seed of all random numbers')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 130 when Ctrl-C stopped it.

    Raises:
        SystemExit: When the config or the checkpoint does not fit.
    """
    args = parse_args(argv)
    enter_training()
    config = load_config(args)
    _apply(args, config)
    check_hooks(config, args.config, args.plain, training=True)
    check_checkpoint(config, args.config)

    from mmengine.runner import Runner

    try:
        Runner.from_cfg(config).train()
    except KeyboardInterrupt:
        # The log says what was saved.
        print('interrupted', file=sys.stderr)
        return 130
    return 0


def _apply(args: argparse.Namespace, config: Config) -> None:
    if args.resume:
        config.resume = True
        config.load_from = None if args.resume == 'auto' else args.resume
    if args.amp:
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if args.weights_only:
        hooks = dict(config.get('default_hooks') or {})
        kept = hooks.get('checkpoint', dict(type='CheckpointHook'))
        alone = dict(save_optimizer=False, save_param_scheduler=False)
        # None: no checkpoints at all.
        hooks['checkpoint'] = kept and dict(kept, **alone)
        config.default_hooks = hooks
    if args.auto_scale_lr:
        if not (config.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise SystemExit(
                '--auto-scale-lr: the config does not contain the batch size of its '
                'learning rate; set auto_scale_lr.base_batch_size'
            )
        config.auto_scale_lr.enable = True
    if args.seed is not None:
        config.randomness = dict(config.get('randomness') or {}, seed=args.seed)
