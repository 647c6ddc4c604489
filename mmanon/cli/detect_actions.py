"""The command ``mmanon detect-actions``, also ``tools/detect_actions.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmanon.anonymizer.options import group_options
from mmanon.utils.log import show_messages
from mmanon.utils.standard_output import ends_with_its_reader
from mmanon.utils.threads import one_blas_thread

from .run_config import enter_training

if TYPE_CHECKING:
    from mmanon.actions import ActionDetectionResult

__all__ = ['main']

DESCRIPTION = """\
Anonymize videos and show which actions a detector still finds in them.

    mmanon detect-actions CONFIG CHECKPOINT clips/ -o out --compare

writes the anonymized videos, films of them with people and actions drawn in, a table
of what was seen (actions.parquet and actions.jsonl), and, with --compare, films beside
each other and the share of actions that are the same on faces as they are.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help="a detector's, ours, mmaction2's or mmdet's")
    parser.add_argument('checkpoint', help='its file or address')
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='videos, folders, cameras, streams'
    )
    parser.add_argument(
        '-o', '--out-dir', required=True, metavar='DIR', help='folder of the outputs'
    )
    parser.add_argument(
        '--modifier',
        metavar='NAME|FILE',
        help="what is drawn over faces; default: the checkpoint's own, else "
        'mean colours',
    )
    parser.add_argument('--seed', type=int, metavar='N', help='of its noise and keys')
    parser.add_argument(
        '--boxes',
        metavar='FILE',
        help='where faces are, as of mmanon-anonymize, in the place of a detector',
    )
    who = parser.add_argument_group('people')
    who.add_argument(
        '--people',
        default='faces',
        metavar='faces|FILE|CONFIG',
        help='where they are: by their faces (default), as a file of boxes says, or as '
        "a detector of mmdet's finds",
    )
    who.add_argument('--people-weights', metavar='FILE', help='of that detector')
    who.add_argument('--people-thr', type=float, default=0.5, help='default: 0.5')
    what = parser.add_argument_group('actions')
    what.add_argument('--labels', metavar='FILE', help='their names')
    what.add_argument(
        '--step', type=int, metavar='FRAMES', help='from one window to the next'
    )
    what.add_argument('--score-thr', type=float, default=0.3, help='default: 0.3')
    what.add_argument('--top', type=int, default=3, help='of a person, at most')
    show = parser.add_argument_group('what is written')
    show.add_argument(
        '--raw', action='store_true', help='look at the faces as they are as well'
    )
    show.add_argument(
        '--compare',
        action='store_true',
        help='and write both films beside each other, which shows faces',
    )
    show.add_argument(
        '--no-film', dest='film', action='store_false', help='only the table'
    )
    show.add_argument('--start', type=float, metavar='SECONDS')
    show.add_argument('--end', type=float, metavar='SECONDS')
    show.add_argument('--overwrite', action='store_true', help='make outputs anew')
    parser.add_argument('--device', default='cpu', help='cuda, cuda:1 …; default: cpu')
    return parser.parse_args(argv)


@ends_with_its_reader
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 1 when a video failed; 2 when something is not installed.
    """
    args = parse_args(argv)
    enter_training()
    show_messages()
    one_blas_thread()
    from mmanon.actions import ActionDetectionInferencer
    from mmanon.anonymizer.io.sources import InputError

    try:
        given = dict(seed=args.seed, boxes=args.boxes)
        groups = group_options(
            **{name: value for name, value in given.items() if value is not None}
        )
        inferencer = ActionDetectionInferencer(
            args.config,
            args.checkpoint,
            args.modifier,
            args.people,
            args.people_weights,
            args.people_thr,
            args.labels,
            args.step,
            args.score_thr,
            args.top,
            args.device,
            **groups,
        )
        results = inferencer(
            args.inputs,
            args.out_dir,
            args.raw,
            args.compare,
            args.film,
            args.start,
            args.end,
            args.overwrite,
        )
    except (InputError, OSError, ValueError) as error:
        print(f'mmanon detect-actions: {error}', file=sys.stderr)
        return 1
    except ImportError as error:
        print(f'mmanon detect-actions: {error}', file=sys.stderr)
        return 2
    return report(results, Path(args.out_dir))


def report(results: Sequence[ActionDetectionResult], folder: Path) -> int:
    """Report the results of all videos.

    Returns:
        int: 0; 1 when one failed.
    """
    from mmanon.actions.agreement import total

    for result in results:
        if result.status != 'written':
            continue
        seen = [one for one in result.records if one.shown == 'anonymized']
        actions = sorted({one.action for one in seen if one.action is not None})
        people = len({one.track for one in seen})
        print(f'{result.out}: {people} people; {", ".join(actions) or "no action"}')
        for path in (result.film, result.comparison):
            if path is not None:
                print(f'  {path}')
    both = [one.agreement for one in results if one.agreement is not None]
    if both:
        print(total(both))
    print(f'{folder / "actions.parquet"}, {folder / "actions.jsonl"}')
    failed = [one for one in results if one.status == 'failed']
    for one in failed:
        print(f'  {one.source}: {one.reason}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
