import importlib.util
import mmap
import multiprocessing
import sys
from pathlib import Path

import pytest

from mmanon.structures.face_table import FaceTable

PATH = Path(__file__).parents[2] / 'tools/benchmark_face_table.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('benchmark_face_table', PATH)
    module = importlib.util.module_from_spec(spec)
    # What a spawned worker is sent is found by the module's name.
    sys.modules['benchmark_face_table'] = module
    spec.loader.exec_module(module)
    return module


def test_a_worker_measures_time_and_its_own_memory(tool, tmp_path):
    path = tmp_path / 'f.parquet'
    tool.write_table(path, 40, 30)
    table = FaceTable(path)
    assert len(table.videos()) == 40
    assert len(table.lookup(tool.video_name(39), 30)) == 2
    assert table.info(tool.video_name(7)).num_frames == 30
    if not Path('/proc/self/smaps_rollup').exists():
        pytest.skip('this system does not tell what memory a process has alone')
    (cost,) = tool.measure(path, 'fork', 40, 30, 1, 3)
    assert cost.first_ms > 0 and cost.cpu_ms > 0 and cost.clip_ms > 0
    assert 0 < cost.first_mb <= cost.end_mb + 1 < 100


def test_own_memory_counts_what_is_written(tool):
    if not Path('/proc/self/smaps_rollup').exists():
        pytest.skip('this system does not tell what memory a process has alone')
    before = tool.own_megabytes()
    # Pages of its own: the heap of a large process has as much to spare.
    block = mmap.mmap(-1, 2**25)
    block.write(b'x' * 2**25)
    assert 28 < tool.own_megabytes() - before < 60
    block.close()
    assert 'fork' in multiprocessing.get_all_start_methods()
