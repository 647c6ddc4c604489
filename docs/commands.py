"""Runs the marked commands of the pages, as a reader would.

    python docs/commands.py              # those of less than a minute
    python docs/commands.py --long       # all of them, as `make docs-check` does
    python docs/commands.py docs/audit.md --long

A block of bash or Python is marked by an HTML comment in the line above it:

    <!-- run -->         less than a minute; the test suite runs it
    <!-- run: long -->   longer; `make docs-check` runs it
    <!-- run: new -->    long, in an environment of its own without mmanon

The blocks of one page run in their order in one new folder. The folder links to the
checkout and holds samples under the names that the pages use: ``clip.mp4``,
``photo.jpg``, ``clips/``, ``boxes.csv`` and others.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
MARKS = ('', 'long', 'new')
_BLOCK = re.compile(
    r'^(?P<indent> *)(?:<!-- run(?:: (?P<mark>[^>]*?))? -->\n\s*)?'
    r'```(?P<language>bash|python)\n(?P<text>.*?)^ *```',
    re.S | re.M,
)
_MARKED = re.compile(r'<!-- run')
# Of the checkout, but what is built or ignored.
_HIDDEN = ('build', 'dist', 'data', 'work_dirs', 'clips', 'checkpoints')
_VIDEOS = ('clip', 'holiday', 'talk', 'stage', 'shop', 'original')
_CLIPS = ('kitchen_1', 'kitchen_2', 'kitchen_3', 'kitchen_4')


class Block(NamedTuple):
    """A block of commands.

    Attributes:
        page (Path): The file it is in.
        line (int): Where it begins, counted from 1.
        language (str): ``'bash'`` or ``'python'``.
        text (str): The commands.
        mark (str, optional): One of :data:`MARKS`; None for a block that is not run.
    """

    page: Path
    line: int
    language: str
    text: str
    mark: str | None


def pages() -> list[Path]:
    """README and all pages of the site."""
    return [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]


def read_blocks(page: Path) -> list[Block]:
    """All blocks of bash and Python of a page.

    Raises:
        ValueError: When a mark is not one of :data:`MARKS`, or marks no block.
    """
    text = page.read_text(encoding='utf-8')
    blocks = []
    for match in _BLOCK.finditer(text):
        marked = '<!-- run' in match[0].split('```', 1)[0]
        mark = (match['mark'] or '') if marked else None
        line = text.count('\n', 0, match.start('text'))
        if mark is not None and mark not in MARKS:
            raise ValueError(f'{page}:{line}: `run: {mark}` is none of {MARKS[1:]}')
        lines = match['text'].splitlines(keepends=True)
        plain = ''.join(one.removeprefix(match['indent']) for one in lines)
        blocks.append(Block(page, line, match['language'], plain, mark))
    if len(_MARKED.findall(text)) != sum(one.mark is not None for one in blocks):
        raise ValueError(f'{page}: a `<!-- run -->` is not right above a block')
    return blocks


def marked_blocks(page: Path, marks: Sequence[str]) -> list[Block]:
    """Those blocks of a page that have one of the marks."""
    return [one for one in read_blocks(page) if one.mark in marks]


def run_page(blocks: Sequence[Block], folder: Path) -> Iterator[tuple[Block, float]]:
    """Run blocks one after the other in a new folder.

    Yields:
        tuple[Block, float]: Each block that has run, and its seconds.

    Raises:
        RuntimeError: When a block fails, with what it printed.
    """
    prepare(folder)
    for block in blocks:
        start = time.perf_counter()
        done = subprocess.run(
            _command(block, folder),
            cwd=folder,
            env=_environment(folder, new=block.mark == 'new'),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = '\n'.join((done.stdout + done.stderr).splitlines()[-40:])
            raise RuntimeError(
                f'{block.page}:{block.line} ended with {done.returncode}:\n'
                f'{block.text}\n{said}'
            )
        yield block, time.perf_counter() - start


def _command(block: Block, folder: Path) -> list[str]:
    if block.language == 'bash':
        return ['bash', '-euo', 'pipefail', '-c', block.text]
    python = folder / '.new/bin/python' if block.mark == 'new' else sys.executable
    return [str(python), '-c', block.text]


def _environment(folder: Path, new: bool) -> dict[str, str]:
    programs = Path(sys.executable).parent
    cache = str(folder / '.cache')
    environment = dict(os.environ, XDG_CACHE_HOME=cache)
    if new:
        programs = folder / '.new' / 'bin'
        if not programs.is_dir():
            venv.create(folder / '.new', with_pip=True)
        # Pip's own cache is the reader's.
        environment.pop('XDG_CACHE_HOME')
        environment.pop('PYTHONPATH', None)
    else:
        environment['PYTHONPATH'] = str(ROOT)
    environment['PATH'] = f'{programs}{os.pathsep}{os.environ.get("PATH", "")}'
    return environment


def prepare(folder: Path) -> None:
    """Link the checkout into a folder and write the samples."""
    for path in ROOT.iterdir():
        if not path.name.startswith('.') and path.name not in _HIDDEN:
            (folder / path.name).symlink_to(path)
    frames = sample_frames()
    for name in _VIDEOS:
        write_clip(folder / f'{name}.mp4', frames[:5])
    (folder / 'clips').mkdir()
    for name in _CLIPS:
        write_clip(folder / 'clips' / f'{name}.mp4', frames)
    from PIL import Image

    Image.fromarray(frames[0]).save(folder / 'photo.jpg')
    lines = ['clip,time,x1,y1,x2,y2,action,person']
    for name in _CLIPS:
        lines += [
            f'{name}.mp4,{second}.2,100,40,260,420,{action},anna'
            for second, action in ((1, 'drink'), (2, 'talk'))
        ]
    (folder / 'boxes.csv').write_text('\n'.join(lines) + '\n')


def sample_frames(count: int = 15) -> list:
    """A portrait in the public domain that moves to the left: uint8 (440, 440, 3)."""
    from skimage.data import astronaut

    portrait = astronaut()
    return [portrait[:440, 4 * index : 4 * index + 440] for index in range(count)]


def write_clip(path: Path, frames: Sequence) -> None:
    """Write frames as a video of five frames a second."""
    import av

    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=5)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        file.mux(stream.encode())


def main(argv: Sequence[str] | None = None) -> int:
    """Run marked blocks and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('pages', nargs='*', type=Path, help='all pages by default')
    parser.add_argument('--long', action='store_true', help='the long ones as well')
    args = parser.parse_args(argv)
    failed = 0
    for page in args.pages or pages():
        blocks = marked_blocks(page, MARKS if args.long else MARKS[:1])
        if not blocks:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                for block, seconds in run_page(blocks, Path(folder)):
                    first = block.text.splitlines()[0]
                    print(f'{seconds:6.1f} s  {page}:{block.line}  {first}', flush=True)
            except RuntimeError as error:
                failed += 1
                print(f'FAILED   {error}', flush=True)
    return int(failed > 0)


if __name__ == '__main__':
    sys.exit(main())
