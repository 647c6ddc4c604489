"""Run the parts of tools/check_gpu.sh, each in a process with its own time limit.

A part that hangs or fails does not affect the others. Tests run in parallel;
measurements run alone. The results are written after each part, so that an interrupted
check keeps those that it has.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
GAME = 'configs/slowfast/slowfast-r50_resnet9-sphereface20_ava21.py'
MINI = 'configs/mini/slowonly_resnet-sphereface_mini.py'
# The figures of the table, with their labels.
FIGURES = {
    'iteration_ms': 'an iteration, ms',
    'joint_ms': 'joint step, ms',
    'parts_ms': 'sum of its parts, ms',
    'ratio': 'joint / parts',
    'modifier_faces_per_s': 'M, faces/s',
    'discriminator_faces_per_s': 'D, faces/s',
    'data_wait_percent': 'waiting for data, %',
    'gpu_busy_percent': 'GPU busy, %',
    'memory_gib': 'GPU memory, GiB',
}


# Inductor's helper processes can run longer than the tests, and Python waits for them.
_PYTEST = """
import os, sys, pytest
code = pytest.main(sys.argv[1:])
sys.stdout.flush()
os._exit(code)
"""


class Part(NamedTuple):
    """A command, and its time limit in seconds."""

    name: str
    command: list[str]
    limit: float
    alone: bool = False


def tests(name: str, limit: float, *paths: str, device: str, only: str = '') -> Part:
    """Return a part that runs tests."""
    chosen = ['-m', 'gpu'] if device == 'cuda' else []
    chosen += ['-k', only] if only else []
    options = ['-o', 'addopts=', '--import-mode=importlib', '-q', '--tb=short', '-rfE']
    command = [sys.executable, '-W', 'ignore', '-c', _PYTEST, *options, *chosen]
    return Part(name, [*command, '-p', 'no:cacheprovider', *paths], limit)


def measured(name: str, limit: float, tool: str, out: Path, *options: str) -> Part:
    """Return a part that measures and writes figures."""
    command = [sys.executable, '-W', 'ignore', f'tools/{tool}.py', *options]
    return Part(name, [*command, '--json', str(out / f'{name}.part')], limit, True)


def parts_for(device: str, out: Path) -> list[Part]:
    """Return all parts, the most important first."""
    room = 'tests/test_gpu/test_'
    cpu = device == 'cpu'
    crop = 'crop_and_paste or reflection' if cpu else ''
    anonymize = 'modifier_goes or devices_tells' if cpu else 'not mtcnn'
    found = [
        tests('same answers', 90, f'{room}devices_agree.py', device=device, only=crop),
        tests(
            'training',
            120,
            f'{room}training.py',
            device=device,
            only='average' if cpu else '',
        ),
        tests('nothing waits', 90, f'{room}no_waiting.py', device=device),
        tests('fixed order', 90, f'{room}fixed_order.py', device=device, only=crop),
        tests(
            'anonymizing',
            100,
            'tests/test_anonymizer/test_on_gpu.py',
            device=device,
            only=anonymize,
        ),
    ]
    joint: tuple[str, ...] = ('step', '--device', device)
    if cpu:
        tiny = ('--clips', '1', '--faces', '2', '--size', '64', '--runs', '1')
        loop = ('--batch', '1', '--workers', '0', '--iterations', '2', '--lost', '1')
        return [
            *found,
            measured('step', 120, 'benchmark', out, *joint, *tiny),
            measured('iterations', 120, 'benchmark_training', out, MINI, *loop),
        ]
    sizes = ('--frames', '32', '--size', '256', '--clips', '2', '--runs', '7')
    joint = (*joint, '--config', GAME, *sizes)
    half = ('--precision', 'bfloat16')
    real = (GAME, '--batch', '2', '--workers', '8', '--iterations', '16', *half)
    compiled = f'{room}nccl_and_inductor.py'
    return [
        *found,
        tests('nccl', 100, compiled, device=device, only='wrappers'),
        tests('torch.compile', 110, compiled, device=device, only='inductor'),
        measured('step float32', 60, 'benchmark', out, *joint),
        measured('step bfloat16', 60, 'benchmark', out, *joint, *half),
        measured('iterations bfloat16', 75, 'benchmark_training', out, *real),
        measured(
            'step bfloat16 channels last',
            60,
            'benchmark',
            out,
            *joint,
            *half,
            '--channels-last',
        ),
    ]


def run(part: Part, out: Path, deadline: float) -> dict:
    """Run a part until its time limit, or until the deadline of the whole check."""
    limit = min(part.limit, deadline - time.monotonic())
    if limit < 5:
        return dict(name=part.name, status='left out: no time', seconds=0.0, log='')
    start = time.monotonic()
    # In its own process group, so that the processes it has started end with it.
    process = subprocess.Popen(
        part.command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        log, _ = process.communicate(timeout=limit)
        status = 'passed' if process.returncode == 0 else 'FAILED'
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        log, _ = process.communicate()
        status = f'STOPPED after {limit:.0f} s'
    seconds = time.monotonic() - start
    found = dict(name=part.name, status=status, seconds=round(seconds, 1), log=log)
    counts = re.findall(r'\d+ (?:passed|failed|skipped|errors?)', log[-300:])
    if counts:
        found['tests'] = ', '.join(counts)
    figures = out / f'{part.name}.part'
    if figures.exists():
        found['figures'] = json.loads(figures.read_text())
        figures.unlink()
    return found


def errors_of(log: str, most: int = 12) -> list[str]:
    """Return the lines of a log with errors, or its last lines."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    told = [
        line[:300]
        for line in lines
        if re.match(r'E  |FAILED|ERROR|\w*(Error|Exit|Exception)\b.*:', line)
    ]
    return (told or lines[-5:])[:most]


def write(results: Sequence[dict], machine: dict, out: Path) -> None:
    """Write the results so far."""
    kept = [
        {key: value for key, value in one.items() if key != 'log'}
        | ({} if one['status'] == 'passed' else {'errors': errors_of(one['log'])})
        for one in results
    ]
    whole = json.dumps(dict(machine=machine, parts=kept), indent=1)
    (out / 'check_gpu.json').write_text(whole + '\n')
    logs = [
        f'==== {one["name"]}: {one["status"]}\n{one["log"][-200_000:]}'
        for one in results
    ]
    (out / 'check_gpu.log').write_text('\n'.join(logs))
    rows = [f'| {machine["gpu"]}, PyTorch {machine["torch"]} | | |', '|---|---|---|']
    for one in results:
        told = one.get('tests', '')
        figures = one.get('figures', {})
        told = told or '; '.join(
            f'{what}: {figures[key]:.4g}'
            for key, what in FIGURES.items()
            if key in figures
        )
        rows.append(f'| {one["name"]} | {one["status"]}, {one["seconds"]} s | {told} |')
    (out / 'check_gpu.md').write_text('\n'.join(rows) + '\n')


def main(argv: list[str] | None = None) -> int:
    """Run all parts; return 1 if one did not pass, otherwise 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cuda')
    parser.add_argument('--budget', type=float, default=230, help='total seconds')
    parser.add_argument('--only', help='names of parts, separated by commas')
    args = parser.parse_args(argv)
    deadline = time.monotonic() + args.budget
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    import torch

    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('PyTorch finds no CUDA device: use --device cpu')
    gpu = torch.cuda.get_device_name() if args.device == 'cuda' else 'CPU'
    machine = dict(gpu=gpu, torch=torch.__version__, python=sys.version.split()[0])
    parts = parts_for(args.device, out)
    if args.only:
        wanted = args.only.split(',')
        unknown = set(wanted) - {part.name for part in parts}
        if unknown:
            parser.error(f'no parts {unknown}; there are {[p.name for p in parts]}')
        parts = [part for part in parts if part.name in wanted]
    results: list[dict] = []

    def keep(found: dict) -> None:
        results.append(found)
        write(results, machine, out)
        print(f'{found["name"]:28} {found["status"]}, {found["seconds"]} s', flush=True)

    together = [part for part in parts if not part.alone]
    at_once = len(together) or 1 if (os.cpu_count() or 1) >= 8 else 1
    os.environ.setdefault('OMP_NUM_THREADS', '2')
    with ThreadPoolExecutor(at_once) as pool:
        waiting = [pool.submit(run, part, out, deadline) for part in together]
        for done in waiting:
            keep(done.result())
    for part in parts:
        if part.alone:
            keep(run(part, out, deadline))
    failed = [one for one in results if one['status'] != 'passed']
    for one in failed:
        print(f'\n{one["name"]}: {one["status"]}')
        print('\n'.join(f'  {line}' for line in errors_of(one['log'])))
    print(f'\n{(out / "check_gpu.md").read_text()}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
