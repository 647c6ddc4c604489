"""Writes the page: tables, plot and pictures in a template."""

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean, stdev

from mmanon.evaluation.metrics import MATCHINGS
from mmanon.utils.atomic_write import write_whole
from mmanon.utils.html import render_page
from mmanon.utils.inline_images import file_url
from mmanon.version import __version__

from .audit import Audit
from .pictures import Grid
from .sweep_folder import RunFolder, SweepFolder

__all__ = ['write_report']

PAPER_ACCURACY = 0.9475
"""Accuracy of the paper's D on original faces of LFW, after the game."""
_TEMPLATE = Path(__file__).with_name('report.html')
_FIGURES = dict(eer='EER', rank1='rank-1', tar_at_far1='TAR at FAR 1 %')
_QUALITY = ('mean_absolute_change', 'psnr', 'ssim', 'lpips')
_PACKAGES = (
    'torch',
    'torchvision',
    'onedl-mmcv',
    'mmcv',
    'onedl-mmengine',
    'mmengine',
    'onedl-mmdetection',
    'mmdet',
    'mmaction2',
    'numpy',
)


@dataclass(frozen=True)
class Table:
    """A table of strings; the first cell of a line is its head."""

    title: str
    heads: list[str]
    lines: list[list[str]]


def write_report(
    sweep: SweepFolder,
    grids: Sequence[Grid],
    path: Path,
    command: str,
    audits: Sequence[Audit] = (),
) -> None:
    """Write the report of a sweep as one web page that needs no other file.

    Args:
        sweep (SweepFolder): The results.
        grids (Sequence[Grid]): Pictures; may be empty.
        path (Path): The page.
        command (str): The command that writes the report.
        audits (Sequence[Audit]): The people whom each method hides worst and best; may
            be empty.

    Raises:
        ValueError: If two rows of the results belong to the same run.
    """
    write_whole(
        path,
        render_page(
            _TEMPLATE,
            name=sweep.folder.resolve().name,
            plot=file_url(sweep.plot),
            matchings=list(MATCHINGS),
            figures=list(_FIGURES.values()),
            attackers=_attacker_tables(sweep),
            discriminator=_discriminator_table(sweep),
            paper=f'{100 * PAPER_ACCURACY:.2f} %',
            quality=_quality_table(sweep),
            grids=grids,
            audits=audits,
            attributes=_attribute_table(sweep),
            settings=_settings(sweep),
            commands=[*sweep.commands(), command],
            system=sweep.system(),
            versions=_versions(),
        ),
    )


def _attacker_tables(sweep: SweepFolder) -> list[Table]:
    tables = []
    for attacker in dict.fromkeys(point.attacker for point in sweep.points):
        lines: dict[str, list[str]] = {}
        for point in sweep.points:
            if point.attacker == attacker and point.name not in lines:
                mAP = _percent(point.mean['mAP'], point.std['mAP'])
                lines[point.name] = [point.name, str(point.seeds), mAP]
        of = {(p.name, p.matching): p for p in sweep.points if p.attacker == attacker}
        for name, line in lines.items():
            for matching in MATCHINGS:
                there = of.get((name, matching))
                for figure in _FIGURES:
                    shown = '–'
                    if there is not None:
                        shown = _percent(there.mean[figure], there.std[figure])
                    line.append(shown)
        tables.append(Table(attacker, [], list(lines.values())))
    return tables


def _discriminator_table(sweep: SweepFolder) -> Table:
    """Collect D's accuracy on faces, of the runs that measured it."""
    heads = [
        'method',
        'seeds',
        'people',
        'names original faces',
        'names modified faces',
        'verifies original faces',
    ]
    # For BottleneckModifier: the rate of its code, and the redrawn share.
    narrow = any('faces/rate' in run.figures for run in sweep.runs)
    heads += ['rate in nats', 'drawn over'] if narrow else []
    lines = []
    for name, runs in sweep.settings.items():
        if 'faces/acc_original' not in runs[0].figures:
            continue
        verified = [f'{prefix}/original_original/accuracy' for prefix in _of_d(runs[0])]
        keys = ['faces/acc_original', 'faces/acc_modified', *verified[:1]]
        cells = [_mean(runs, key) for key in keys]
        cells += ['–'] * (3 - len(cells))
        people = runs[0].figures.get('faces/num_identities')
        many = '–' if people is None else f'{people:g}'
        if narrow:
            cells += [_mean(runs, 'faces/rate', 1, '.2f'), _mean(runs, 'faces/share')]
        lines.append([name, str(len(runs)), many, *cells])
    return Table('', heads, lines)


def _of_d(run: RunFolder) -> list[str]:
    """Return the names of the attackers that are the D of the game."""
    found = [m for m in run.face_metrics if m['recognizer'] == 'discriminator']
    return [metric.get('prefix') or 'discriminator' for metric in found]


def _quality_table(sweep: SweepFolder) -> Table:
    there = [
        key
        for key in _QUALITY
        if any(f'face_quality/{key}' in run.figures for run in sweep.runs)
    ]
    lines = [
        [name, *(_mean(runs, f'face_quality/{key}', 1, '.3f') for key in there)]
        for name, runs in sweep.settings.items()
    ]
    return Table('', ['method', *(name.replace('_', ' ') for name in there)], lines)


def _attribute_table(sweep: SweepFolder) -> Table:
    """Collect how well attributes can be guessed from faces."""
    ending = '/modified/balanced_accuracy'
    keys = [
        key.removesuffix(ending)
        for key in dict.fromkeys(key for run in sweep.runs for key in run.figures)
        if key.endswith(ending)
    ]
    lines = [
        [
            name,
            key.rpartition('/')[2].replace('_', ' '),
            *(
                _mean(runs, f'{key}/{figure}')
                for figure in (
                    'chance',
                    'original/balanced_accuracy',
                    'modified/balanced_accuracy',
                )
            ),
        ]
        for key in keys
        for name, runs in sweep.settings.items()
    ]
    heads = ['method', 'attribute', 'a guess', 'from originals', 'from modified faces']
    return Table('', heads, lines)


def _settings(sweep: SweepFolder) -> list[dict[str, str]]:
    """Return seeds, modifier and training config of each setting."""
    return [
        dict(
            name=name,
            seeds=', '.join(str(run.seed) for run in runs),
            modifier=repr(runs[0].hook.get('modifier')),
            config=sweep.shorten(
                (runs[0].folder / 'train.py').read_text(encoding='utf-8')
            ),
        )
        for name, runs in sweep.settings.items()
    ]


def _versions() -> dict[str, str]:
    found = dict(mmanon=__version__, python=platform.python_version())
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _mean(
    runs: Sequence[RunFolder], key: str, scale: float = 100, form: str = '.1f'
) -> str:
    values = [run.figures[key] for run in runs if key in run.figures]
    if not values:
        return '–'
    spread = stdev(values) if len(values) > 1 else math.nan
    return _percent(mean(values), spread, scale, form)


def _percent(value: float, spread: float, scale: float = 100, form: str = '.1f') -> str:
    if math.isnan(value):
        return '–'
    tail = '' if math.isnan(spread) else f' ± {scale * spread:{form}}'
    return f'{scale * value:{form}}{tail}'
