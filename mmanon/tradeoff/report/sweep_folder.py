"""Reads the work dir of ``mmanon tradeoff``."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmanon.tradeoff import Point, Row, read_rows, summarize, worst_case
from mmanon.tradeoff.rows import named

__all__ = ['RunFolder', 'SweepFolder', 'read_sweep']

_AGAIN = 'start mmanon tradeoff again: it continues after its finished stages'
_SYSTEM = re.compile(r'System environment:\n(.*?)\n\n?Runtime environment:', re.S)


@dataclass(frozen=True)
class RunFolder:
    """The training and the test of a method at a strength with a seed.

    Attributes:
        method: Name of the method.
        strength: Its strength, or None.
        seed: Seed of the training.
        folder: Folder of all its files.
    """

    method: str
    strength: float | None
    seed: int
    folder: Path

    @property
    def setting(self) -> str:
        """The method and its strength."""
        return named(self.method, self.strength)

    @cached_property
    def figures(self) -> dict[str, float]:
        """All figures of the test."""
        return _read_json(self.folder / 'figures.json', dict)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The config of the test, as plain dicts and lists."""
        return _read_json(self.folder / 'test.json', dict)

    @property
    def hook(self) -> dict[str, Any]:
        """The config of the hook, with this run's modifier.

        Raises:
            ValueError: If the config of the test has none.
        """
        for hook in self.settings.get('custom_hooks') or []:
            if str(hook.get('type')).endswith('AdversarialAnonymizationHook'):
                return hook
        raise ValueError(
            f'{self.folder / "test.json"} has no AdversarialAnonymizationHook in '
            '`custom_hooks`'
        )

    @property
    def face_metrics(self) -> list[dict[str, Any]]:
        """Configs of the metrics with attackers."""
        metrics = self.settings.get('test_evaluator') or []
        metrics = metrics if isinstance(metrics, list) else [metrics]
        return [metric for metric in metrics if 'recognizer' in metric]


@dataclass(frozen=True)
class SweepFolder:
    """A work dir with results.

    Attributes:
        folder: The work dir.
        rows: The measured rows.
        plot: The file of the plot, SVG or PNG.
        runs: One run for each setting and seed of the rows, in their order.
    """

    folder: Path
    rows: list[Row]
    plot: Path
    runs: list[RunFolder]

    @cached_property
    def points(self) -> list[Point]:
        """Means over the seeds, those of the worst case first."""
        return summarize([*worst_case(self.rows), *self.rows])

    @cached_property
    def settings(self) -> dict[str, list[RunFolder]]:
        """Runs by method and strength."""
        found: dict[str, list[RunFolder]] = {}
        for run in self.runs:
            found.setdefault(run.setting, []).append(run)
        return found

    def commands(self) -> list[str]:
        """Return the commands in the logs, without the path of the folder."""
        found: dict[str, None] = {}
        for log in sorted(self.folder.glob('**/*.log')):
            for line in log.read_text(encoding='utf-8', errors='replace').splitlines():
                if line.startswith('$ '):
                    found[self.shorten(line[2:])] = None
        return list(found)

    def system(self) -> str | None:
        """Return the description of the machine in the first log, or None."""
        for log in sorted(self.folder.glob('**/*.log')):
            text = log.read_text(encoding='utf-8', errors='replace')
            match = _SYSTEM.search(text)
            if match:
                return match[1].strip('\n')
        return None

    def shorten(self, text: str) -> str:
        """Replace the path of the folder in a text by ``WORK_DIR``."""
        return text.replace(str(self.folder.resolve()), 'WORK_DIR')


def read_sweep(folder: str | Path) -> SweepFolder:
    """Read the results of a sweep, and check that they are complete.

    Args:
        folder (str or Path): Work dir of ``mmanon tradeoff``.

    Raises:
        FileNotFoundError: If a file is missing; the message says which, and how to
            make it.
        ValueError: If a file cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f'{folder} is not a folder; give the work dir of mmanon tradeoff'
        )
    table = folder / 'tradeoff.json'
    if not table.is_file():
        raise FileNotFoundError(
            f'{table} does not exist: {folder} is not the work dir of an '
            'mmanon tradeoff that has finished a run'
        )
    rows = read_rows(table)
    if not rows:
        raise ValueError(f'{table} has no rows, because no run is finished; {_AGAIN}')
    plots = [folder / f'tradeoff{suffix}' for suffix in ('.svg', '.png')]
    plot = next((plot for plot in plots if plot.is_file()), None)
    if plot is None:
        raise FileNotFoundError(
            f'neither {plots[0]} nor {plots[1].name} exists; {_AGAIN}, and draws the '
            'plot'
        )
    found: dict[tuple, RunFolder] = {}
    for row in rows:
        key = row.method, row.strength, row.seed
        if key in found:
            continue
        name = named(row.method, row.strength, between='_')
        run = RunFolder(*key, folder / 'runs' / name / f'seed_{row.seed}')
        for file in ('figures.json', 'test.json', 'train.py'):
            if not (run.folder / file).is_file():
                raise FileNotFoundError(
                    f'{run.folder / file} does not exist, but {table.name} has rows of '
                    f'this run; {_AGAIN}'
                )
        found[key] = run
    return SweepFolder(folder, rows, plot, list(found.values()))


def _read_json(path: Path, kind: type) -> Any:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None
    if not isinstance(content, kind):
        raise ValueError(f'{path} must be a {kind.__name__} in JSON')
    return content
