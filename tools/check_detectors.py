"""Check which detectors train and predict in the game.

    python tools/check_detectors.py --out docs/detectors.md     # all of mmaction2
    python tools/check_detectors.py mmdet::retinanet/retinanet_r50_fpn_1x_coco.py
    python tools/check_detectors.py my_config.py

Each config gets the anonymizer's line, if it does not have it, becomes four times
narrower, and runs on made-up data: one iteration of the plain detector, one iteration
of the game from its checkpoint, the config's test, and the export to a plain
checkpoint. The command prints a table and writes it to ``--out``. The exit code is 1 if
something fails.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch

from mmanon.testing import STAGES, DetectorCheck, shipped_configs
from mmanon.utils.atomic_write import write_whole

ROOT = Path(__file__).resolve().parents[1]
ANONYMIZER = ROOT / 'configs/_base_/anonymizers/resnet9_sphereface20.py'
PASSED, FAILED, NOT_THERE = '✓', '✗', '–'

PAGE = """# Detectors that fit

<!-- Written by `{command}`; do not edit. -->

This page lists every spatio-temporal detection config of the installed mmaction2
{mmaction2}, with the line
`'../_base_/anonymizers/{anonymizer}'` added to its `_base_`. The command

```bash
{command}
```

made it with PyTorch {torch} on {device} and {operators}, in {minutes:.1f} minutes.

- **builds**: the two-line config loads, and its detector, data sets and loops build.
- **joint step**: the plain config trains for one iteration. Then the game trains for
  one iteration from that checkpoint. All weights of modifier and discriminator get a
  gradient, and so do the weights of the detector that get one in the plain iteration.
  The loss of the detector alone gives the modifier a gradient.
- **prediction**: the test of the config runs with its own metric. Predictions have the
  fields, types and shapes of the plain detector's, and are equal in frames without a
  face.
- **checkpoint round trip**: all weights of the plain checkpoint load into the wrapped
  detector. The exported weights of the game's checkpoint load into the plain detector,
  which then predicts the same.

Data sets, pipelines, optimizers, depths, clip lengths, heads and losses are those of
the config. For the check, all widths and frame sides are divided by four, no block is
skipped at random (`drop_path_rate`), the data are generated, nothing is downloaded,
feature banks are on the device of the model, and files are read from disk.

{table}
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'configs',
        nargs='*',
        help='config files, or names as in `_base_`; default: all detectors of '
        'mmaction2',
    )
    parser.add_argument(
        '--anonymizer', type=Path, default=ANONYMIZER, help='config of the anonymizer'
    )
    parser.add_argument('--out', type=Path, help='page to write, *.md')
    args = parser.parse_args()
    if args.out and args.configs:
        parser.error(
            '--out writes the page of all detectors of mmaction2: give no configs'
        )
    return args


def check(name: str, anonymizer: Path, work_dir: Path) -> dict[str, str]:
    """Return for each stage: passed, a reason why it does not exist, or an error."""
    found: dict[str, str] = {}
    try:
        with DetectorCheck(name, anonymizer, work_dir) as detector:
            for stage in STAGES:
                reason = detector.why_not(stage)
                if reason is None:
                    detector.run(stage)
                found[stage] = reason or PASSED
    except Exception as error:
        traceback.print_exc()
        message = (str(error).strip() or type(error).__name__).splitlines()[0]
        for stage in STAGES[len(found) :]:
            found[stage] = f'{FAILED} {message}'
    return found


def table_of(results: dict[str, dict[str, str]]) -> str:
    """Return a Markdown table with the numbered reasons below it."""
    reasons: list[str] = []
    lines = [
        f'| config | {" | ".join(STAGES)} |',
        '|---|' + ':-:|' * len(STAGES),
    ]
    for name, found in results.items():
        cells = []
        for stage in STAGES:
            said = found[stage]
            if said == PASSED:
                cells.append(PASSED)
                continue
            if said not in reasons:
                reasons.append(said)
            sign = FAILED if said.startswith(FAILED) else NOT_THERE
            cells.append(f'{sign} ({reasons.index(said) + 1})')
        lines.append(f'| `{name}` | {" | ".join(cells)} |')
    lines.append('')
    lines += [
        f'{i}. {one.removeprefix(FAILED).strip()}' for i, one in enumerate(reasons, 1)
    ]
    return '\n'.join(lines).rstrip()


def operators_used() -> str:
    compiled = hasattr(sys.modules['mmcv._ext'], '__file__')
    return (
        "mmcv's compiled operators"
        if compiled
        else "mmanon's replacement of mmcv's compiled operators"
    )


def main() -> None:
    args = parse_args()
    if not args.anonymizer.is_file():
        raise SystemExit(f'anonymizer {args.anonymizer} does not exist')
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    start = time.time()
    results = {}
    for name in args.configs or shipped_configs():
        before = time.time()
        folder = Path(tempfile.mkdtemp(prefix='mmanon_check_'))
        try:
            results[name] = check(name, args.anonymizer, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        passed = ', '.join(f'{stage}: {said}' for stage, said in results[name].items())
        print(f'{name} ({time.time() - before:.0f} s): {passed}', flush=True)
    table = table_of(results)
    print(table)
    if args.out:
        import mmaction

        page = PAGE.format(
            command=f'python tools/check_detectors.py --out {args.out}',
            mmaction2=mmaction.__version__,
            anonymizer=args.anonymizer.name,
            torch=torch.__version__,
            device='a GPU' if torch.cuda.is_available() else 'CPU',
            operators=operators_used(),
            minutes=(time.time() - start) / 60,
            table=table,
        )
        write_whole(args.out, page)
    if any(
        said.startswith(FAILED) for one in results.values() for said in one.values()
    ):
        sys.exit(1)


if __name__ == '__main__':
    main()
