"""Runs a whole sweep: all stages that are not done yet, several in parallel."""

import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from .plan import Plan
from .results import write_results
from .stages import Stage, Stages
from .workers import Commands, StageFailed, hold_work_dir

__all__ = ['run_sweep']


def run_sweep(plan: Plan, tools: Path, workers: int) -> list[str]:
    """Run all stages of a plan that are not done yet, and write the results.

    SIGTERM stops it and its commands with exit code 143.

    Args:
        plan (Plan): The plan.
        tools (Path): The folder of ``train.py`` and ``test.py``.
        workers (int): Number of commands to run in parallel.

    Returns:
        list[str]: The failed stages; the others are finished.

    Raises:
        ValueError: If a figure of a run is missing.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with hold_work_dir(plan.work_dir, _say) as keep:
        runs = ', '.join(map(str, plan.runs))
        _say(f'{len(plan.runs)} runs in {plan.work_dir}: {runs}')
        failed = _sweep(plan, Commands(tools, workers, keep), workers)
        files = write_results(plan)
    print((plan.work_dir / 'tradeoff.md').read_text())
    print('\n'.join(map(str, files)))
    return failed


def _say(text: str) -> None:
    print(time.strftime('%H:%M:%S'), text, flush=True)


def _do(name: str, stages: list[Stage], commands: Commands) -> None:
    for stage in stages:
        if not stage.is_done:
            start = time.monotonic()
            stage.run(commands)
            _say(f'{name}: {stage.name} done in {time.monotonic() - start:.0f} s')


def _sweep(plan: Plan, commands: Commands, workers: int) -> list[str]:
    """Run all stages that are not done yet.

    Returns:
        list[str]: The failed stages.
    """
    stages = Stages(plan)
    failed = []
    pool = ThreadPoolExecutor(workers)
    try:
        jobs = {
            pool.submit(_do, 'shared', [stage], commands): f'shared {stage.name}'
            for stage in stages.shared()
        }
        failed += _finish(jobs, lambda: None)
        if failed:
            return failed
        jobs = {
            pool.submit(_do, str(run), stages.of(run), commands): str(run)
            for run in plan.runs
        }
        failed += _finish(jobs, lambda: write_results(plan, plot=False))
    finally:
        # Only if the sweep is stopped, commands are still running here.
        commands.stop()
        pool.shutdown(cancel_futures=True)
    return failed


def _finish(jobs: dict[Future, str], after_each: Callable[[], object]) -> list[str]:
    """Wait for jobs; a failed job does not stop the others."""
    failed, left = [], set(jobs)
    while left:
        done, left = wait(left, return_when=FIRST_COMPLETED)
        for job in done:
            try:
                job.result()
            except (StageFailed, OSError) as error:
                failed.append(f'{jobs[job]}: {error}')
                _say(f'FAILED {failed[-1]}')
            else:
                after_each()
        _say(f'{len(jobs) - len(left)} of {len(jobs)} finished')
    return failed
