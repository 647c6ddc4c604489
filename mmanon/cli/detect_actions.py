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

writes the anonymized videos, films of these with people and actions drawn in, and a
table of the actions (actions.parquet and actions.jsonl). With --compare, it also writes
films of the original and the anonymized video side by side, and prints how many actions
are the same in both.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config', help='config of a detector, of mmanon, mmaction2 or mmdet'
    )
    parser.add_argument(
        'checkpoint', help='checkpoint of the detector, file or address'
    )
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='videos, folders, cameras, streams'
    )
    parser.add_argument(
        '-o', '--out-dir', required=True, metavar='DIR', help='folder of the outputs'
    )
    parser.add_argument(
        '--modifier',
        metavar='NAME|FILE',
        help='how faces are covered; default: the modifier in the checkpoint, or 16 '
        'mean colours',
    )
    parser.add_argument(
        '--seed', type=int, metavar='N', help="seed of the modifier's noise and keys"
    )
    parser.add_argument(
        '--boxes',
        metavar='FILE',
        help='file with the boxes of faces, as for mmanon-anonymize',
    )
    who = parser.add_argument_group('people')
    who.add_argument(
        '--people',
        default='faces',
        metavar='faces|FILE|CONFIG',
        help='how people are found: below their faces (default), in a file of boxes, '
        'or by a detector of mmdet',
    )
    who.add_argument(
        '--people-weights', metavar='FILE', help='checkpoint of that detector'
    )
    who.add_argument(
        '--people-thr',
        type=float,
        default=0.5,
        help='minimum score of a person of that detector; default: 0.5',
    )
    what = parser.add_argument_group('actions')
    what.add_argument('--labels', metavar='FILE', help='the names of the actions')
    what.add_argument(
        '--step',
        type=int,
        metavar='FRAMES',
        help='number of frames from one window to the next',
    )
    what.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='minimum score of an action; default: 0.3',
    )
    what.add_argument(
        '--top',
        type=int,
        default=3,
        help='maximum number of actions of a person; default: 3',
    )
    show = parser.add_argument_group('outputs')
    show.add_argument(
        '--raw',
        action='store_true',
        help='also detect actions in the original videos, for the table',
    )
    show.add_argument(
        '--compare',
        action='store_true',
        help='like --raw, and also write films of both side by side, which show '
        'original faces',
    )
    show.add_argument(
        '--no-film', dest='film', action='store_false', help='write no films'
    )
    show.add_argument('--start', type=float, metavar='SECONDS', help='where to begin')
    show.add_argument('--end', type=float, metavar='SECONDS', help='where to end')
    show.add_argument(
        '--overwrite', action='store_true', help='write existing outputs again'
    )
    parser.add_argument('--device', default='cpu', help='cuda, cuda:1 …; default: cpu')
    return parser.parse_args(argv)


@ends_with_its_reader
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0; 1 when a video failed; 2 when a package is not installed.
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
