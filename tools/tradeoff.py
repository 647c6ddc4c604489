"""Train and test a detector under many modifiers: how private, and how good?

    python tools/tradeoff.py configs/tradeoff/tradeoff_mini.py --preset small
    python tools/tradeoff.py configs/tradeoff/tradeoff_mini.py --workers 2
    python tools/tradeoff.py CONFIG --methods raw downsample:8 learned --seeds 0 1

What is finished is not done again, and what was stopped goes on: start the same command
once more. The work dir gets tradeoff.json, one row for each method, strength, seed,
attacker and matching; tradeoff.md, a table of means; tradeoff.svg and tradeoff.png.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import mmanon  # noqa: F401
from mmanon.engine.command_line import add_config_arguments, load_config
from mmanon.tradeoff.sweep import (
    Commands,
    Plan,
    Stage,
    StageFailed,
    Stages,
    check_sweep,
    hold_work_dir,
    read_plan,
    write_results,
)

TOOLS = Path(__file__).resolve().parent


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('--preset', help="a smaller sweep, one of the config's")
    parser.add_argument(
        '--methods',
        nargs='+',
        metavar='NAME[:STRENGTH]',
        help='methods of the config, with all of their strengths or one (default: the '
        "preset's, or all)",
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, help="in place of each method's own"
    )
    parser.add_argument(
        '--attackers', nargs='+', metavar='NAME', help='attackers of the config'
    )
    parser.add_argument(
        '--workers', type=int, default=1, help='processes at once (default: 1)'
    )
    args = parser.parse_args()
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, got {args.workers}')
    return args


def make_plan(args: argparse.Namespace) -> Plan:
    """Read the config, and look for all that would stop the sweep."""
    if args.preset and not args.work_dir:
        args.work_dir = f'work_dirs/{Path(args.config).stem}_{args.preset}'
    config = load_config(args)
    try:
        plan = read_plan(
            config,
            args.methods,
            args.seeds,
            args.attackers,
            args.preset,
            args.cfg_options,
        )
        check_sweep(plan)
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f'{args.config}: {error}') from None
    return plan


def say(text: str) -> None:
    print(time.strftime('%H:%M:%S'), text, flush=True)


def do(name: str, stages: list[Stage], commands: Commands) -> None:
    for stage in stages:
        if not stage.is_done:
            start = time.monotonic()
            stage.run(commands)
            say(f'{name}: {stage.name} done in {time.monotonic() - start:.0f} s')


def sweep(plan: Plan, commands: Commands, workers: int) -> list[str]:
    """Do all that is not done yet.

    Returns:
        list[str]: What failed.
    """
    stages = Stages(plan)
    failed = []
    pool = ThreadPoolExecutor(workers)
    try:
        jobs = {
            pool.submit(do, 'shared', [stage], commands): f'shared {stage.name}'
            for stage in stages.shared()
        }
        failed += finish(jobs, lambda: None)
        if failed:
            return failed
        jobs = {
            pool.submit(do, str(run), stages.of(run), commands): str(run)
            for run in plan.runs
        }
        failed += finish(jobs, lambda: write_results(plan, plot=False))
    finally:
        # Reached with work under way only when the sweep is stopped.
        commands.stop()
        pool.shutdown(cancel_futures=True)
    return failed


def finish(jobs: dict[Future, str], after_each: Callable[[], object]) -> list[str]:
    """Wait for jobs; one that fails does not stop the others."""
    failed, left = [], set(jobs)
    while left:
        done, left = wait(left, return_when=FIRST_COMPLETED)
        for job in done:
            try:
                job.result()
            except (StageFailed, OSError) as error:
                failed.append(f'{jobs[job]}: {error}')
                say(f'FAILED {failed[-1]}')
            else:
                after_each()
        say(f'{len(jobs) - len(left)} of {len(jobs)} through')
    return failed


def main() -> None:
    args = parse_args()
    plan = make_plan(args)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with hold_work_dir(plan.work_dir, say) as keep:
            runs = ', '.join(map(str, plan.runs))
            say(f'{len(plan.runs)} runs in {plan.work_dir}: {runs}')
            failed = sweep(plan, Commands(TOOLS, args.workers, keep), args.workers)
            files = write_results(plan)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    print((plan.work_dir / 'tradeoff.md').read_text())
    print('\n'.join(map(str, files)))
    if failed:
        raise SystemExit(
            f'{len(failed)} failed, start the same command to try again:\n'
            + '\n'.join(failed)
        )


if __name__ == '__main__':
    main()
