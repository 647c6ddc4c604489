"""Generate the mini benchmark, train on it, test, and show the results.

    make demo
    make demo ARGS="--seed 1"

Finished steps are not repeated: delete ``work_dirs/mini`` to start again. Seeds other
than 0 have work dirs of their own, such as ``work_dirs/mini_seed_1``.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from mmanon.utils.atomic_write import write_whole

ROOT = Path(__file__).resolve().parents[1]
PLAIN_CONFIG = 'configs/mini/slowonly_mini.py'
RAW_CONFIG = 'configs/mini/slowonly_finetuned_mini.py'
JOINT_CONFIG = 'configs/mini/slowonly_cover_mini.py'


def run(script: str, *args: object) -> None:
    command = [sys.executable, f'tools/{script}', *map(str, args)]
    print('$', ' '.join(['python', *command[1:]]), flush=True)
    if subprocess.run(command, cwd=ROOT).returncode:
        raise SystemExit(f'tools/{script} failed; see its output above')


def train(config: str, work_dir: Path, *overrides: str) -> float | None:
    """Train, or continue an interrupted training.

    Args:
        config (str): Its file.
        work_dir (Path): For checkpoints and logs.
        *overrides (str): Settings of the config, such as ``'randomness.seed=1'``.

    Returns:
        The seconds of all attempts, or None if the time of one of them is unknown.
    """
    done = ROOT / work_dir / 'train_seconds.json'
    if done.is_file():
        return json.loads(done.read_text())
    spent = done.with_name('train_seconds_so_far.json')
    resume = ['--resume'] if (ROOT / work_dir / 'last_checkpoint').is_file() else []
    seconds: float | None = 0.0
    if resume:
        seconds = json.loads(spent.read_text()) if spent.is_file() else None
    write(spent, None)
    start = time.monotonic()
    try:
        # The test follows below, once.
        options = ['--no-validate', *plain(config), *resume]
        if overrides:
            options += ['--cfg-options', *overrides]
        run('train.py', config, '--work-dir', work_dir, *options)
    finally:
        if seconds is not None:
            seconds = round(seconds + time.monotonic() - start, 1)
        write(spent, seconds)
    spent.replace(done)
    return seconds


def test(config: str, work_dir: Path, out: str) -> dict:
    checkpoint = (ROOT / work_dir / 'last_checkpoint').read_text().strip()
    options = ['--work-dir', work_dir, '--out', work_dir / out, *plain(config)]
    run('test.py', config, checkpoint, *options)
    return json.loads((ROOT / work_dir / out).read_text())


def film(config: str, work_dir: Path) -> tuple[Path, Path]:
    """Show some test clips, original and anonymized, with the detected actions.

    Returns:
        The film and a picture of it.
    """
    import numpy as np
    from PIL import Image

    from mmanon.actions.film import film_writer, timed_frames
    from mmanon.datasets.mini_benchmark.clips import write_clips

    folder, out = ROOT / work_dir / 'clips', ROOT / work_dir / 'films'
    clips = write_clips(ROOT / 'data' / 'mini', folder)
    checkpoint = (ROOT / work_dir / 'last_checkpoint').read_text().strip()
    known = {name: work_dir / f'clips_{name}.json' for name in ('faces', 'people')}
    options = ['--boxes', known['faces'], '--people', known['people'], '--overwrite']
    options += ['--step', 4, '--top', 1, '--compare', '-o', work_dir / 'films']
    run('detect_actions.py', config, checkpoint, work_dir / 'clips', *options)
    films = [out / f'{clip.stem}_compare.mp4' for clip in clips]
    shown, stills, begin = ROOT / work_dir.parent / 'film.mp4', [], 0.0
    with film_writer(shown) as put:
        for one in films:
            frames = list(timed_frames(one))
            for number, frame in enumerate(frames):
                put(frame.image, begin + number / 4)
            begin += len(frames) / 4
            stills.append(frames[len(frames) // 2].image)
    rows = [np.concatenate(stills[k : k + 2], 1) for k in range(0, len(stills) - 1, 2)]
    picture = shown.with_suffix('.jpg')
    Image.fromarray(np.concatenate(rows)).save(picture, quality=88)
    return shown, picture


def plain(config: str) -> list[str]:
    """Return the option that allows training and testing on original faces."""
    return ['--plain'] if config in (PLAIN_CONFIG, RAW_CONFIG) else []


def write(path: Path, content: object) -> None:
    write_whole(path, json.dumps(content, indent=2) + '\n')


def mean_ap(metrics: dict) -> float:
    return metrics['mAP/overall']


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seed', type=int, default=0, help='of the three trainings')
    seed = parser.parse_args().seed
    work = Path('work_dirs', f'mini_seed_{seed}' if seed else 'mini')
    run('make_mini_benchmark.py', '--out', 'data/mini')
    # One plain detector is trained. It is then trained further for the same number of
    # iterations, once on raw clips and once in the game.
    seeded = f'randomness.seed={seed}'
    train(PLAIN_CONFIG, work / 'plain', seeded)
    start = f'load_from={(work / "plain" / "epoch_7.pth").as_posix()}'
    train(RAW_CONFIG, work / 'raw', seeded, start)
    raw = test(RAW_CONFIG, work / 'raw', 'test.json')
    seconds = train(JOINT_CONFIG, work / 'joint', seeded, start)
    joint = test(JOINT_CONFIG, work / 'joint', 'test.json')
    summary = dict(
        mAP_raw_detector=mean_ap(raw),
        mAP_modified=mean_ap(joint),
        acc_original=joint['faces/acc_original'],
        acc_modified=joint['faces/acc_modified'],
        num_identities=joint['faces/num_identities'],
        train_seconds=seconds,
    )
    write(ROOT / work / 'summary.json', summary)
    took = 'unknown' if seconds is None else f'{seconds:.0f}'
    table = f"""
| mini benchmark                                 |         |
|------------------------------------------------|---------|
| detection mAP, trained and tested on raw clips | {summary['mAP_raw_detector']:7.1%} |
| detection mAP, jointly trained, modified clips | {summary['mAP_modified']:7.1%} |
| D names original faces                         | {summary['acc_original']:7.1%} |
| D names modified faces                         | {summary['acc_modified']:7.1%} |
| identities (chance {1 / summary['num_identities']:.1%})                       | \
{summary['num_identities']:7d} |
| seconds of joint training                      | {took:>7} |
"""
    (ROOT / work / 'summary.md').write_text(table.lstrip())
    shown, picture = film(JOINT_CONFIG, work / 'joint')
    pictures = sorted((ROOT / work / 'joint').rglob('vis_image/faces_*.png'))
    print(table)
    print(f'table:    {work / "summary.md"}, {work / "summary.json"}')
    if pictures:
        where = pictures[-1].parent.relative_to(ROOT)
        print(f'pictures: {where} (originals above, modified below)')
    print(
        f'film:     {shown.relative_to(ROOT)}, {picture.relative_to(ROOT)} (original '
        'on the left, anonymized on the right, with the detected actions)'
    )


if __name__ == '__main__':
    main()
