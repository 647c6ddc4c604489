import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def check():
    return runpy.run_path(str(ROOT / 'tools' / 'check_gpu.py'))


def test_without_a_gpu_it_tries_what_it_can_and_writes_what_came_out(tmp_path):
    # The whole of it takes a minute or two; these are one part of each kind.
    ran = subprocess.run(
        [ROOT / 'tools' / 'check_gpu.sh', '--device', 'cpu', '--out', tmp_path]
        + ['--only', 'fixed order,step', '--budget', '200'],
        capture_output=True,
        text=True,
        env=os.environ | dict(PYTHON=sys.executable),
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads((tmp_path / 'check_gpu.json').read_text())
    order, step = found['parts']
    assert found['machine']['gpu'] == 'CPU'
    assert order['status'] == step['status'] == 'passed'
    assert 'passed' in order['tests'] and 'failed' not in order['tests']
    assert step['figures']['joint_ms'] > 0 and step['figures']['ratio'] > 0
    table = (tmp_path / 'check_gpu.md').read_text()
    assert '| fixed order | passed' in table and 'joint / parts: ' in table
    assert table in ran.stdout
    assert '==== step: passed' in (tmp_path / 'check_gpu.log').read_text()


def test_a_gpu_that_is_not_there_is_told(check, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    with pytest.raises(SystemExit):
        check['main'](['--out', str(tmp_path)])
    assert 'use --device cpu' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        check['main'](['--out', str(tmp_path), '--device', 'cpu', '--only', 'stepp'])
    assert "no parts {'stepp'}; there are ['same answers'" in capsys.readouterr().err


def test_a_part_that_hangs_or_fails_is_told_and_takes_nothing_from_the_others(
    check, tmp_path, monkeypatch, capsys
):
    part = check['Part']
    hangs = 'import subprocess; subprocess.run(["sleep", "60"])'
    parts = [
        part('hangs', [sys.executable, '-c', hangs], 5.5),
        part('fails', [sys.executable, '-c', 'raise ValueError("not today")'], 60),
        part('works', [sys.executable, '-c', 'print("3 passed, 1 skipped")'], 60, True),
    ]
    scope = check['main'].__globals__
    monkeypatch.setitem(scope, 'parts_for', lambda device, out: parts)
    start = time.monotonic()

    assert check['main'](['--out', str(tmp_path), '--device', 'cpu']) == 1

    assert time.monotonic() - start < 40
    found = json.loads((tmp_path / 'check_gpu.json').read_text())['parts']
    assert [one['status'] for one in found] == ['STOPPED after 6 s', 'FAILED', 'passed']
    assert found[1]['errors'] == ['ValueError: not today']
    assert found[2]['tests'] == '3 passed, 1 skipped'
    assert 'fails: FAILED\n  ValueError: not today' in capsys.readouterr().out


def test_parts_for_which_no_time_is_left_are_left_out(check, tmp_path):
    part = check['Part']('late', ['false'], 60)
    found = check['run'](part, tmp_path, time.monotonic() + 1)
    assert found['status'] == 'left out: no time'


def test_on_a_gpu_all_parts_end_in_time(check, tmp_path):
    parts = check['parts_for']('cuda', tmp_path)
    # Side by side, and one after the other.
    together = max(part.limit for part in parts if not part.alone)
    assert together + sum(part.limit for part in parts if part.alone) < 8 * 60
    for part in parts:
        for word in part.command:
            if word.startswith(('tests/', 'tools/', 'configs/')):
                assert (ROOT / word).exists(), word
