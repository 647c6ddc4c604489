"""Test a checkpoint: the detector on modified clips, and what D can still name.

    python tools/test.py configs/mini/slowonly_resnet-sphereface_mini.py \\
        work_dirs/mini/joint/epoch_7.pth
"""

import argparse
import json
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner

import mmanon  # noqa: F401
from mmanon.engine.command_line import add_config_arguments, load_config
from mmanon.utils.atomic_write import write_whole


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=Path, help='JSON file for the metrics')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    config = load_config(args)
    if '://' not in args.checkpoint and not Path(args.checkpoint).is_file():
        raise SystemExit(f'checkpoint {args.checkpoint} does not exist')
    config.load_from = args.checkpoint
    config.resume = False
    metrics = Runner.from_cfg(config).test()
    if args.out and is_main_process():
        write_whole(args.out, json.dumps(metrics, indent=2, default=float) + '\n')


if __name__ == '__main__':
    main()
