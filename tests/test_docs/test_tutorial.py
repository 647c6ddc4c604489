"""The notebook runs from its first to its last cell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / 'demo' / 'mmanon_tutorial.ipynb'
# One process with one namespace, as a kernel has it. It is not run from a file, which
# processes that it starts would run as well.
RUN = """
import json, sys
names = {'__name__': '__main__'}
for number, source in enumerate(json.load(open(sys.argv[1]))):
    exec(compile(source, f'code cell {number}', 'exec'), names)
"""


@pytest.fixture(scope='module')
def cells():
    """The code cells."""
    notebook = json.loads(NOTEBOOK.read_text(encoding='utf-8'))
    assert (notebook['nbformat'], notebook['nbformat_minor']) == (4, 5)
    return [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']


def test_it_was_kept_after_a_whole_run_and_is_small(cells):
    assert [cell['execution_count'] for cell in cells] == [*range(1, len(cells) + 1)]
    kinds = [one['output_type'] for cell in cells for one in cell['outputs']]
    assert 'error' not in kinds and kinds.count('display_data') >= 4
    assert NOTEBOOK.stat().st_size < 600_000


def test_every_cell_runs(cells, tmp_path):
    sources = tmp_path / 'cells.json'
    sources.write_text(json.dumps([''.join(cell['source']) for cell in cells]))
    folder = tmp_path / 'tutorial'
    done = subprocess.run(
        [sys.executable, '-c', RUN, str(sources)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            'MMANON_TUTORIAL_CLIPS': '16',
            'MMANON_TUTORIAL_FOLDER': str(folder),
            'MPLBACKEND': 'agg',
            'PYTHONPATH': str(ROOT),
        },
    )
    assert done.returncode == 0, done.stderr
    assert 'written: 30 faces in 30 frames' in done.stdout
    assert 'one epoch of the game, 2 steps' in done.stdout
    assert 'D names redrawn faces' in done.stdout
    table = parquet.read_table(folder / 'films' / 'actions.parquet').to_pylist()
    assert {one['shown'] for one in table} == {'raw', 'anonymized'}
    assert (folder / 'joint' / 'epoch_1.pth').is_file()
