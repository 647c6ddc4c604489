"""Functions of the commands that run a config."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmanon.utils.extras import require

from .overrides import check_overrides

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = [
    'add_config_arguments',
    'add_override_argument',
    'enter_training',
    'load_config',
    'read_config',
    'read_overrides',
]


# The packages that training and testing need.
_STACK = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmaction')


def enter_training() -> None:
    """End the command with a message if a package for training is not installed.

    Raises:
        SystemExit: When a package is missing; the message says what to install.
    """
    try:
        require(Path(sys.argv[0]).name, _STACK, 'train')
    except ImportError as error:
        raise SystemExit(str(error)) from None


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every run of a config."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs, pictures and checkpoints')
    add_override_argument(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def add_override_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options`` without importing mmengine, which parses the values."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        type=_override,
        metavar='KEY=VALUE',
        help='override settings of the config; entries of lists by their index: '
        'custom_hooks.0.face_table=data/ava/faces.parquet',
    )


def read_overrides(options: list[str] | dict | None) -> dict[str, Any]:
    """Parse the settings of ``--cfg-options``; the result has dotted keys.

    Args:
        options (list[str] or dict, optional): The values from the parser; a dict is
            returned as it is.

    Raises:
        SystemExit: When a value cannot be read.
    """
    from mmengine.config import DictAction

    if not options:
        return {}
    if isinstance(options, dict):
        return options
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='+', action=DictAction)
    try:
        return parser.parse_args(['--options', *options]).options
    except AssertionError as error:  # brackets that are not closed
        raise SystemExit(f'--cfg-options: {error}') from None


def read_config(path: str, options: list[str] | dict | None = None) -> Config:
    """Read a config file and apply overrides.

    Raises:
        SystemExit: When the file does not exist or an override does not fit it.
    """
    from mmengine.config import Config

    if not Path(path).is_file():
        raise SystemExit(f'config {path} does not exist')
    config = Config.fromfile(path)
    overrides = read_overrides(options)
    try:
        doubts = check_overrides(config, overrides)
    except ValueError as error:
        raise SystemExit(f'--cfg-options {error}') from None
    for doubt in doubts:
        print(f'warning: --cfg-options {doubt}', file=sys.stderr)
    config.merge_from_dict(overrides, allow_list_keys=True)
    return config


def load_config(args: argparse.Namespace) -> Config:
    """Read the config, apply overrides, and set the work dir.

    Raises:
        SystemExit: When the config does not exist or the work dir cannot be written.
    """
    # mmengine falls back to unsafe loading if a checkpoint contains more than weights.
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    config = read_config(args.config, args.cfg_options)
    config.launcher = args.launcher
    if args.work_dir:
        config.work_dir = args.work_dir
    elif not config.get('work_dir'):
        config.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    _check_writable(Path(config.work_dir))
    if args.launcher == 'pytorch':
        _without_gpu(config)
    return config


def _without_gpu(config: Config) -> None:
    import torch

    if torch.cuda.is_available():
        return
    # mmengine's own initialization and its default wrapper need a GPU.
    torch.distributed.init_process_group('gloo')
    config.setdefault(
        'model_wrapper_cfg',
        dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=config.get('find_unused_parameters', False),
        ),
    )


def _override(text: str) -> str:
    key, equals, _ = text.partition('=')
    if not (key and equals):
        raise argparse.ArgumentTypeError(f'{text!r} is not KEY=VALUE')
    return text


def _check_writable(work_dir: Path) -> None:
    probe = work_dir / f'.mmanon_{os.getpid()}'
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SystemExit(
            f'cannot write to the work dir {work_dir}: {error.strerror}; give another '
            'one as --work-dir'
        ) from None
