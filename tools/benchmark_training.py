"""Measure how long training waits for its data, on made-up clips and faces.

    python tools/benchmark_training.py configs/slowfast/….py --batch 4

It runs some iterations of the config's training, with mmengine's runner and the
config's own loaders: frames are decoded, faces are looked up and cut out, and all three
networks learn. The clips are noise, which takes longer to decode than videos of the
same size.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import mmanon  # noqa: F401
from mmanon.testing import made_up_data

# Frames of AVA are mostly stored with this height for training.
SHAPE = (256, 340)
PEOPLE = 16


class _Times(Hook):
    """Records mmengine's times of each iteration, in seconds."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.waiting: list[float] = []
        self.whole: list[float] = []
        self.busy: list[int] = []
        self._done = threading.Event()

    def before_train(self, runner: Runner) -> None:
        if torch.cuda.is_available():
            threading.Thread(target=self._watch, daemon=True).start()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None
    ) -> None:
        self.waiting.append(runner.message_hub.get_scalar('train/data_time').current())

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: object = None,
        outputs: object = None,
    ) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.whole.append(runner.message_hub.get_scalar('train/time').current())

    def after_train(self, runner: Runner) -> None:
        self._done.set()

    def _watch(self) -> None:
        try:
            while not self._done.wait(0.1):
                self.busy.append(torch.cuda.utilization())
        except Exception as error:  # NVML may be missing; the figure is then left out
            print(f'the load of the GPU cannot be read: {error}')


def made_up(args: argparse.Namespace, folder: Path) -> Config:
    """Write made-up data into the current folder; return the config for it."""
    config = Config.fromfile(args.config)
    made_up_data.SHAPE = SHAPE
    made_up_data.write_made_up_data(config)
    game = next(one for one in config.custom_hooks if 'modifier' in one)
    made_up_data.write_made_up_people(folder / 'people', game.crop_size, PEOPLE)
    loader = config.train_dataloader
    loader.batch_size = args.batch or loader.batch_size
    if args.workers is not None:
        loader.num_workers = args.workers
        loader.persistent_workers = args.workers > 0
        game.faces.num_workers = min(args.workers, game.faces.get('num_workers', 0))
    # The data set has two keyframes.
    times = -(-loader.batch_size * args.iterations // 2)
    loader.dataset = dict(type='RepeatDataset', times=times, dataset=loader.dataset)
    game.faces.dataset = dict(
        type='mmanon.FaceIdentityDataset', data_root=str(folder / 'people')
    )
    game.val_faces = None
    game.phases = None
    config.custom_hooks = [game]
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.test_cfg = config.test_dataloader = config.test_evaluator = None
    config.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
    config.param_scheduler = None
    config.load_from = config.model.init_cfg = None
    config.model.backbone.pretrained = None
    config.work_dir = str(folder / 'work')
    config.default_hooks.checkpoint = None
    config.log_level = 'WARNING'
    if args.precision != 'float32':
        config.optim_wrapper.update(
            type='AmpOptimWrapper',
            dtype=args.precision,
            loss_scale=dict(enabled=args.precision == 'float16'),
        )
    return config


def main(argv: list[str] | None = None) -> None:
    """Train for some iterations and print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--batch', type=int, help="clips; default: the config's")
    parser.add_argument('--workers', type=int, help="default: the config's")
    parser.add_argument('--iterations', type=int, default=15)
    parser.add_argument(
        '--lost',
        type=int,
        default=4,
        help='number of first iterations that are not counted',
    )
    parser.add_argument(
        '--precision', choices=('float32', 'bfloat16', 'float16'), default='float32'
    )
    parser.add_argument('--json', help='write the figures to this file')
    args = parser.parse_args(argv)
    if not 0 <= args.lost < args.iterations:
        parser.error('--lost must be fewer than --iterations')
    args.config = str(Path(args.config).resolve())
    times = _Times()
    with tempfile.TemporaryDirectory() as folder:
        root = Path.cwd()
        os.chdir(folder)  # paths of configs are relative
        try:
            config = made_up(args, Path(folder).resolve())
            runner = Runner.from_cfg(config)
            runner.register_hook(times, priority='VERY_LOW')
            runner.train()
        finally:
            os.chdir(root)
    device = next(runner.model.parameters()).device
    waiting, whole = times.waiting[args.lost :], times.whole[args.lost :]
    on_gpu = device.type == 'cuda'
    found: dict[str, float | str] = dict(
        device=torch.cuda.get_device_name() if on_gpu else 'cpu',
        precision=args.precision,
        clips=config.train_dataloader.batch_size,
        iterations=len(whole),
        iteration_ms=1e3 * statistics.median(whole),
        data_wait_percent=100 * sum(waiting) / sum(whole),
    )
    if on_gpu:
        found['memory_gib'] = torch.cuda.max_memory_allocated() / 2**30
        busy = times.busy[len(times.busy) // 2 :]
        if busy:
            found['gpu_busy_percent'] = statistics.mean(busy)
    for name, value in found.items():
        said = value if isinstance(value, str) else f'{value:.4g}'
        print(f'{name:18} {said}')
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1))


if __name__ == '__main__':
    main()
