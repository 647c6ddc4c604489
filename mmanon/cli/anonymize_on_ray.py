"""Anonymize many files on many machines with Ray Data: ``tools/anonymize_on_ray.py``.

Files are the rows of a data set. Each worker is an actor that builds its networks once
and processes file after file.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mmanon.utils.extras import require
from mmanon.utils.log import show_messages

from . import anonymize as anonymize_command

if TYPE_CHECKING:
    from mmanon.anonymizer import AnonymizationResult
    from mmanon.anonymizer.io.sources import Source

__all__ = ['FileAnonymizer', 'main']

_MOST_TASKS = 10_000  # with more files, a task has several
_ATTEMPTS = 2
_LOST = (
    f'its worker ended {_ATTEMPTS} times (killed, out of memory, or the machine is '
    'gone); nothing was written'
)


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[argparse.Namespace, argparse.Namespace]:
    """Parse the options of the workers, and those of the anonymization."""
    parser = argparse.ArgumentParser(
        prog='anonymize_on_ray.py',
        usage='%(prog)s --workers N [--address HOST:PORT] [--cpus-per-worker N] '
        '[--gpus-per-worker N] INPUT ... -o DIR [options of anonymize.py]',
        description='Anonymize files with several workers on one or many machines.',
        epilog='Inputs and all other options are those of mmanon-anonymize. All '
        'machines must see inputs and outputs under the same paths.',
        allow_abbrev=False,
    )
    parser.add_argument(
        '--workers',
        type=int,
        required=True,
        metavar='N',
        help='total number of workers',
    )
    parser.add_argument(
        '--address',
        metavar='HOST:PORT',
        help="address of a Ray cluster, or 'auto'; by default, the command starts a "
        'cluster on this machine and ends it',
    )
    parser.add_argument(
        '--cpus-per-worker', type=float, default=1, metavar='N', help='default: 1'
    )
    parser.add_argument(
        '--gpus-per-worker',
        type=float,
        metavar='N',
        help='default: 1 with --device cuda, otherwise 0',
    )
    cluster, rest = parser.parse_known_args(argv)
    args = anonymize_command.parse_args(rest)
    if cluster.workers < 1:
        parser.error(f'--workers must be at least 1, got {cluster.workers}')
    if cluster.cpus_per_worker <= 0:
        parser.error(
            f'--cpus-per-worker must be above 0, got {cluster.cpus_per_worker}'
        )
    if cluster.gpus_per_worker is None:
        cluster.gpus_per_worker = float(args.device.startswith('cuda'))
    return cluster, args


class FileAnonymizer:
    """A worker.

    Args:
        args (argparse.Namespace): Options of ``mmanon-anonymize``, with paths that are
            valid on all machines.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        show_messages()
        self.args = args
        self.inferencer = anonymize_command.build(args)

    def __call__(self, row: dict) -> dict:
        """Anonymize one file.

        Args:
            row (dict): A :class:`Source` as a dict.

        Returns:
            dict: ``where``, and ``status``, ``reason``, ``faces``, ``whole`` and
            ``spared`` of its result.
        """
        from mmanon.anonymizer.io.sources import Source

        (result,) = self.inferencer(
            [Source(row['where'], row['name'], row['kind'])],
            out_dir=self.args.out_dir,
            start=self.args.start,
            end=self.args.end,
            overwrite=self.args.overwrite,
            show_progress=False,
            report=self.args.report,
        )
        return dict(
            where=row['where'],
            status=result.status,
            reason=result.reason,
            faces=result.faces,
            whole=result.whole,
            spared=result.spared,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 1 when a file failed; 2 when a package is not installed; 130 when it was
        interrupted.
    """
    cluster, args = parse_args(argv)
    show_messages()
    from mmanon.anonymizer.io.sources import InputError

    try:
        # Errors in the options are found before any worker starts.
        anonymize_command.build(argparse.Namespace(**{**vars(args), 'device': 'cpu'}))
        sources, refused, left_out = find_files(args)
        results = refused + list(run(cluster, _with_full_paths(args), sources))
    except ImportError as error:
        print(f'anonymize_on_ray.py: {error}', file=sys.stderr)
        return 2
    except (InputError, OSError, ValueError) as error:
        print(f'anonymize_on_ray.py: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            'interrupted: no output is incomplete, and the same command continues with '
            'the other files',
            file=sys.stderr,
        )
        return 130
    return anonymize_command.report(results, left_out)


def find_files(
    args: argparse.Namespace,
) -> tuple[list[Source], list[AnonymizationResult], list[str]]:
    """Find all files, and separate those that cannot be processed."""
    from mmanon.anonymizer import AnonymizationResult
    from mmanon.anonymizer.io.sources import Source, find_sources, without_password

    found, left_out, missing = find_sources(
        args.inputs, Path(args.out_dir).expanduser()
    )
    sources: dict[Path, Source] = {}
    refused = [
        AnonymizationResult(without_password(name), reason=reason)
        for name, reason in missing
    ]
    for source in found:
        out = source.output(Path(args.out_dir), args.container)
        if source.kind == 'live':
            reason = 'a camera or stream needs mmanon-anonymize'
        elif out in sources:
            reason = (
                f'it and {sources[out].where} would both be written to {out}; '
                'anonymize them to different folders'
            )
        else:
            where = _full_path(source.where)
            sources[out] = Source(where, source.name, source.kind)
            continue
        refused.append(
            AnonymizationResult(without_password(source.where), out=out, reason=reason)
        )
    return list(sources.values()), refused, left_out


def _full_path(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _with_full_paths(args: argparse.Namespace) -> argparse.Namespace:
    """The same options with absolute paths, for processes in another folder."""
    named = [
        *('out_dir', 'report', 'weights', 'detector_weights', 'boxes'),
        *('allowlist', 'only', 'recognizer'),
    ]
    given = vars(args).copy()
    for name in named:
        if given[name] is not None:
            given[name] = _full_path(given[name])
    # A modifier may be a name or a file.
    if args.modifier is not None and Path(args.modifier).is_file():
        given['modifier'] = _full_path(args.modifier)
    return argparse.Namespace(**given)


def run(
    cluster: argparse.Namespace, args: argparse.Namespace, sources: list[Source]
) -> Iterator[AnonymizationResult]:
    """Anonymize files with the workers of a cluster.

    Yields:
        AnonymizationResult: The result of each source, in the order in which they
        finish. Files whose workers ended come last.

    Raises:
        ImportError: When Ray Data is not installed.
        OSError: When the cluster cannot be reached or started.
    """
    if not sources:
        return
    require('anonymizing on several workers', ('ray', 'pandas'), 'ray')
    # Otherwise Ray sends usage statistics; this must be set before it starts.
    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    import ray
    import ray.data

    from mmanon.anonymizer import AnonymizationResult

    started: dict[str, Any] = dict(address=cluster.address)
    if cluster.address is None:
        cpus = max(1, math.ceil(cluster.workers * cluster.cpus_per_worker))
        started = dict(address='local', num_cpus=cpus, include_dashboard=False)
    try:
        ray.init(**started)
    except Exception as error:  # Ray raises even the base class
        raise OSError(f'Ray cannot be reached or started: {error}') from error
    try:
        # The number of attempts of a task can only be set by a deprecated argument.
        warnings.simplefilter('ignore', ray.util.annotations.RayDeprecationWarning)
        context = ray.data.DataContext.get_current()
        context.max_errored_blocks = -1  # continue with the other files
        context.execution_no_progress_timeout_s = -1  # a video may take hours
        rows = [asdict(source) for source in sources]
        tasks = min(len(rows), _MOST_TASKS)
        done = ray.data.from_items(rows, override_num_blocks=tasks).map(
            cast(Any, FileAnonymizer),
            fn_constructor_args=(args,),
            compute=ray.data.ActorPoolStrategy(
                size=cluster.workers, max_tasks_in_flight_per_actor=1
            ),
            num_cpus=cluster.cpus_per_worker,
            num_gpus=cluster.gpus_per_worker,
            max_restarts=-1,
            # Otherwise a file that kills its worker would be tried for ever.
            max_task_retries=_ATTEMPTS - 1,
        )
        missing = {source.where for source in sources}
        for row in done.iter_rows():
            missing.discard(row['where'])
            where = row.pop('where')
            yield AnonymizationResult(where, **row)
        for where in sorted(missing):
            yield AnonymizationResult(where, reason=_LOST)
    finally:
        ray.shutdown()


if __name__ == '__main__':
    sys.exit(main())
