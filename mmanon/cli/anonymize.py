"""The command ``mmanon-anonymize``, also ``tools/anonymize.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmanon.anonymizer.options import group_options
from mmanon.utils.log import show_messages
from mmanon.utils.standard_output import ends_with_its_reader
from mmanon.utils.threads import one_blas_thread

from .anonymize_arguments import parse_args

if TYPE_CHECKING:
    from mmanon.anonymizer import AnonymizationResult, AnonymizerInferencer

# Large modules are imported after the arguments are read, so that `--help` and errors
# in the arguments appear at once.

__all__ = ['main']


# Arguments of a run, which the inferencer does not take.
_OF_THE_RUN = {
    'inputs',
    'out_dir',
    'start',
    'end',
    'overwrite',
    'report',
    'boxes_out',
    'preview',
    'drop_tracks',
    'keep_tracks',
    'view',
    'record',
}


def build(args: argparse.Namespace) -> AnonymizerInferencer:
    """Build the inferencer from the arguments."""
    given = {
        name: value
        for name, value in vars(args).items()
        if name not in _OF_THE_RUN and value is not None
    }
    if 'encoder_options' in given:
        pairs = (option.split('=', 1) for option in given['encoder_options'])
        given['encoder_options'] = dict(pairs)
    # Contradictions are found before anything large is imported.
    options = group_options(**given)
    from mmanon.anonymizer import AnonymizerInferencer

    return AnonymizerInferencer(**options)


@ends_with_its_reader
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 1 when a file failed; 2 when a package is not installed; 130 when it was
        interrupted.
    """
    args = parse_args(argv)
    show_messages()
    one_blas_thread()
    try:
        from mmanon.anonymizer.io.sources import InputError

        try:
            inferencer = build(args)
            if args.view:
                return _view(inferencer, args)
            results = inferencer(
                args.inputs,
                out_dir=args.out_dir,
                start=args.start,
                end=args.end,
                overwrite=args.overwrite,
                report=args.report,
                boxes_out=args.boxes_out,
                preview=args.preview,
                drop_tracks=args.drop_tracks or (),
                keep_tracks=args.keep_tracks or (),
            )
        except (InputError, OSError, ValueError) as error:
            print(f'mmanon-anonymize: {error}', file=sys.stderr)
            return 1
    except ImportError as error:
        print(f'mmanon-anonymize: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            'interrupted: no output is incomplete, and the same command continues with '
            'the file at which it stopped',
            file=sys.stderr,
        )
        return 130
    return report(results, inferencer.left_out)


def _view(inferencer: AnonymizerInferencer, args: argparse.Namespace) -> int:
    from mmanon.anonymizer.viewing import view

    problems: list[str] = []
    where = (args.inputs, args.start, args.end, args.record)
    shown = view(inferencer, *where, problems=problems)
    if args.record is None:
        print(f'{shown} frames were shown, and nothing was written')
    else:
        print(f'{shown} frames were shown; the covered frames are in {args.record}')
    for problem in problems:
        print(f'mmanon-anonymize: {problem}', file=sys.stderr)
    return 0


def report(results: Sequence[AnonymizationResult], left_out: Sequence[str] = ()) -> int:
    """Report the results of all files; list the failures last.

    Args:
        results: The result of each file.
        left_out: Names of files that are neither images nor videos.

    Returns:
        int: 0; 1 when a file, its report or its boxes failed.
    """
    states = [result.status for result in results]
    counts = [
        f'{states.count(state)} {state}' for state in ('written', 'skipped', 'failed')
    ]
    print(', '.join(counts))
    if 'skipped' in states:
        print(
            '  skipped: outputs that exist already, perhaps from other settings; '
            '--overwrite writes them again'
        )
    if left_out:
        print(f'  left out, neither images nor videos: {len(left_out)}')
        for name in left_out:
            print(f'    {name}')
    empty = [result for result in results if result.nothing_masked]
    if empty:
        print(
            f'warning: no face was found in {len(empty)} of the written files: check '
            'whether this is right',
            file=sys.stderr,
        )
        for result in empty:
            print(f'  {result.source}', file=sys.stderr)
    failed = [
        result
        for result in results
        if result.status == 'failed' or result.status == 'written' and result.reason
    ]
    for result in failed:
        print(f'  {result.source}: {result.reason}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
