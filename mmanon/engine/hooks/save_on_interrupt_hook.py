"""Saves a checkpoint when Ctrl-C stops a training."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmanon.engine.game.wrapping import is_built
from mmanon.engine.seeding import skip_batches
from mmanon.registry import HOOKS

__all__ = ['SaveOnInterruptHook']

FILE = 'stopped.pth'
# A launcher may repeat the signal of the terminal: within this time in seconds, both
# count as one press.
_ONE_PRESS = 1.0
# Processes compare their state only every so many iterations, because this waits for
# their devices.
_ASKED = 10


@HOOKS.register_module()
class SaveOnInterruptHook(Hook):
    """Saves a checkpoint when Ctrl-C is pressed, then stops.

    It first finishes the current iteration, and the steps of optimizers that accumulate
    gradients. Then it saves ``stopped.pth`` in the work dir. ``--resume`` continues
    exactly where the training stopped, also within an epoch. Pressing Ctrl-C again
    stops at once. The :class:`AdversarialAnonymizationHook` adds this hook.
    """

    # After all hooks that change the model, the optimizers or their schedules.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._pressed: float | None = None
        self._done_before = 0
        self._chances = 0

    def before_run(self, runner: Runner) -> None:
        """Handle Ctrl-C while the training runs."""
        if is_built(runner._train_loop) and not hasattr(runner._train_loop, 'listens'):
            loop = runner._train_loop
            loop.listens = True
            loop.run = partial(self._run, loop.run)

    def _run(self, run: Callable[[], Any]) -> Any:
        with self._listening():
            return run()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Continue within the epoch in which the training was stopped."""
        stopped = checkpoint.get('meta', {}).get('stopped_in_epoch')
        if stopped and runner._resume and is_built(runner._train_loop):
            loader = runner._train_loop.dataloader
            # With another number of processes, an epoch has another number of batches.
            share = stopped['done'] / stopped['batches']
            self._done_before = round(share * len(loader))
            skip_batches(loader, self._done_before)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Save and stop if requested.

        Raises:
            KeyboardInterrupt: When Ctrl-C was pressed.
        """
        over = runner.iter + 1 >= runner.max_iters
        if over or not _has_stepped(runner):
            return
        if not self._pressed_anywhere():
            return
        meta = {}
        if not hasattr(runner.train_loop, 'dataloader_iterator'):
            meta['stopped_in_epoch'] = dict(
                done=self._done_before + batch_idx + 1,
                batches=len(runner.train_dataloader),
            )
        path = Path(runner.work_dir) / FILE
        beside = path.with_name(f'{path.name}.part')
        # With optimizers, whatever the CheckpointHook saves: it must be resumable.
        runner.save_checkpoint(runner.work_dir, beside.name, meta=meta, by_epoch=False)
        if is_main_process():
            os.replace(beside, path)
            Path(runner.work_dir, 'last_checkpoint').write_text(str(path))
        print_log(
            f'Stopped after iteration {runner.iter + 1}, because Ctrl-C was pressed; '
            f'continue by --resume, which reads {path}',
            logger='current',
        )
        raise KeyboardInterrupt

    def after_train_epoch(self, runner: Runner) -> None:
        """Let the next epoch begin at its first batch."""
        self._done_before = 0

    def _pressed_anywhere(self) -> bool:
        """Whether Ctrl-C was pressed in any process, the same in all of them."""
        pressed = self._pressed is not None
        if get_world_size() == 1:
            return pressed
        self._chances += 1
        if self._chances % _ASKED:
            return False
        told = torch.tensor(int(pressed))
        all_reduce(told)
        return bool(told)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        self._pressed = None
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread gets signals
            return
        before = signal.signal(signal.SIGINT, self._press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    # Workers of data loaders inherit it, so they continue until the iteration is done.
    def _press(self, *args: Any) -> None:
        now = time.monotonic()
        if self._pressed is None:
            self._pressed = now
            # Not with the logger, which may be writing at this moment.
            text = 'Ctrl-C: a checkpoint is saved after this iteration, then training '
            os.write(2, f'\n{text}stops; press again to stop at once\n'.encode())
        elif now - self._pressed > _ONE_PRESS:
            raise KeyboardInterrupt


def _has_stepped(runner: Runner) -> bool:
    """Whether no optimizer has accumulated gradients."""
    wrapper = runner.optim_wrapper
    several = wrapper.values() if hasattr(wrapper, 'values') else [wrapper]
    return all(
        optimizer._inner_count % optimizer._accumulative_counts == 0
        for optimizer in several
    )
