"""What ``tools/train.py`` and ``tools/test.py`` share."""

import argparse
import os
from pathlib import Path

import torch
from mmengine.config import Config, DictAction


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every run of a config takes."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs, pictures and weights')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings, as key=value; lists by index: '
        'custom_hooks.0.face_table=data/ava/faces.parquet',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config, apply overrides, and settle where the run works.

    Raises:
        SystemExit: When the config is missing or the work dir cannot be written.
    """
    # mmengine falls back to unsafe loading when a checkpoint holds more than weights.
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if not Path(args.config).is_file():
        raise SystemExit(f'config {args.config} does not exist')
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options, allow_list_keys=True)
    config.launcher = args.launcher
    if args.work_dir:
        config.work_dir = args.work_dir
    elif not config.get('work_dir'):
        config.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    _check_writable(Path(config.work_dir))
    if args.launcher == 'pytorch' and not torch.cuda.is_available():
        # mmengine's own start and its default wrapper ask for a GPU.
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
    return config


def _check_writable(work_dir: Path) -> None:
    probe = work_dir / f'.mmanon_{os.getpid()}'
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SystemExit(
            f'cannot write to the work dir {work_dir}: {error.strerror}; name another '
            'one by --work-dir'
        ) from None
