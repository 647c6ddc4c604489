"""Train a detector, a face modifier and a face discriminator together.

python tools/train.py configs/mini/slowonly_resnet-sphereface_mini.py
"""

import argparse

from mmengine.runner import Runner

import mmanon  # noqa: F401
from mmanon.engine.command_line import add_config_arguments, load_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_config_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from the latest checkpoint of the work dir, or from the one named',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision (needs a GPU)'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not validate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the detector's learning rate to the batch size",
    )
    parser.add_argument('--seed', type=int, help='seed of all random numbers')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    config = load_config(args)
    if args.resume:
        config.resume = True
        config.load_from = None if args.resume == 'auto' else args.resume
    if args.amp:
        config.optim_wrapper.type = 'AmpOptimWrapper'
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if args.auto_scale_lr:
        if not (config.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise SystemExit(
                '--auto-scale-lr: the config does not say which batch size its '
                'learning rate is for; name it by auto_scale_lr.base_batch_size'
            )
        config.auto_scale_lr.enable = True
    if args.seed is not None:
        config.randomness = dict(config.get('randomness') or {}, seed=args.seed)
    Runner.from_cfg(config).train()


if __name__ == '__main__':
    main()
