"""Builds a mini benchmark on disk: beside its place first, moved there when whole."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from .actions import ACTIONS, BODY_ACTIONS, FACE_ACTIONS
from .annotations import KnownClip, write_face_table, write_labels, write_split
from .drawn_head import DrawnHead
from .face_set import draw_face
from .people import Head
from .plan import PlannedClip, plan_clips, stream
from .scene import Role, draw_clip
from .settings import (
    CROP_SIZE,
    FRAME_SIZE,
    FRAME_TEMPLATE,
    KEY_FRAME,
    MARGIN,
    NUM_FRAMES,
    VERSION,
    MiniBenchmarkSettings,
)

__all__ = ['build_mini_benchmark', 'is_there']

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 94]


def is_there(out: Path, settings: MiniBenchmarkSettings) -> bool:
    """Whether ``out`` holds the whole benchmark of these settings.

    Raises:
        FileExistsError: If something else is there.
    """
    if not out.exists():
        return False
    try:
        meta = json.loads((out / 'meta.json').read_text())
        have, version = meta['settings'], meta['version']
    except (OSError, ValueError, KeyError, TypeError):
        raise FileExistsError(
            f'{out} exists and is not a mini benchmark; name another folder by --out'
        ) from None
    want = json.loads(json.dumps(asdict(settings)))
    if version != VERSION:
        have, want = {**have, 'version': version}, {**want, 'version': VERSION}
    if have == want:
        return True
    different = [
        f'{key} {have.get(key)} there, {want.get(key)} asked for'
        for key in sorted({*have, *want})
        if have.get(key) != want.get(key)
    ]
    raise FileExistsError(
        f'{out} holds a mini benchmark of other settings ({"; ".join(different)}); '
        'replace it by --force or name another folder by --out'
    )


def build_mini_benchmark(
    out: str | Path,
    settings: MiniBenchmarkSettings,
    workers: int = 1,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> bool:
    """Generate the benchmark, unless it is there already.

    Args:
        out: Its folder; appears when everything is written.
        settings: What decides its content.
        workers: Processes to draw with; they do not change the content.
        force: Replace a mini benchmark of other settings.
        report: Is told what is being done.

    Returns:
        Whether it was generated; False where it was there.

    Raises:
        FileExistsError: If ``out`` holds something else.
    """
    out = Path(out)
    try:
        if is_there(out, settings):
            return False
    except FileExistsError:
        if not force or not (out / 'meta.json').is_file():
            raise
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f'.{out.name}.{os.getpid()}.part')
    try:
        _write_all(beside, settings, workers, report)
        if out.exists():
            old = out.with_name(f'.{out.name}.{os.getpid()}.old')
            os.replace(out, old)
            os.replace(beside, out)
            shutil.rmtree(old)
        else:
            os.replace(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return True


def _write_all(
    out: Path,
    settings: MiniBenchmarkSettings,
    workers: int,
    report: Callable[[str], None],
) -> None:
    cast = {
        split: _draw_identities(split, number, settings.seed)
        for split, number in (
            ('train', settings.train_identities),
            ('test', settings.test_identities),
        )
    }
    clips = {
        split: plan_clips(split, number, len(cast[split]), settings.seed)
        for split, number in (
            ('train', settings.train_clips),
            ('test', settings.test_clips),
        )
    }
    albums = [
        _Album(f'faces/{folder}/{head.name}', split, i, number)
        for folder, split, number in (
            ('train', 'train', settings.train_faces),
            ('val', 'train', settings.val_faces),
            ('test', 'test', settings.val_faces),
        )
        for i, head in enumerate(cast[split])
    ]
    studio = _Studio(out, cast, settings.seed)
    annotations = out / 'annotations'
    annotations.mkdir(parents=True)
    with _mapper(workers) as each:
        known = {}
        for split, planned in clips.items():
            report(f'drawing {len(planned)} {split} clips')
            known[split] = list(each(studio.film, planned))
            write_split(annotations, split, known[split], settings.seed)
        report(f'drawing {sum(a.number for a in albums)} faces')
        for _ in each(studio.portray, albums):
            pass
    write_labels(annotations)
    write_face_table(out / 'faces.parquet', [*known['train'], *known['test']])
    (out / 'meta.json').write_text(json.dumps(_describe(settings, known), indent=2))


def _draw_identities(split: str, number: int, seed: int) -> list[Head]:
    return [
        DrawnHead.random(f'{split}_{i:03d}', stream(seed, split, 'identity', i))
        for i in range(number)
    ]


def _describe(
    settings: MiniBenchmarkSettings, known: dict[str, list[KnownClip]]
) -> dict:
    return {
        'version': VERSION,
        'settings': asdict(settings),
        'actions': list(ACTIONS),
        'face_actions': list(FACE_ACTIONS),
        'body_actions': list(BODY_ACTIONS),
        'clips': {
            'num_frames': NUM_FRAMES,
            'key_frame': KEY_FRAME,
            'frame_size': FRAME_SIZE,
            'people': {
                split: sum(len(clip.labels) for clip in clips)
                for split, clips in known.items()
            },
        },
        'faces': {
            'crop_size': CROP_SIZE,
            'margin': MARGIN,
            'geometry': 'the square around the centre of the face box (hairline to '
            'chin) with the side max(width, height) * (1 + 2 * margin), upright',
        },
    }


@dataclass(frozen=True)
class _Album:
    """Pictures to make of one face."""

    folder: str
    split: str
    identity: int
    number: int


class _Studio:
    """Draws and writes; its methods may run in any process and order."""

    def __init__(self, out: Path, cast: dict[str, list[Head]], seed: int) -> None:
        self._out, self._cast, self._seed = out, cast, seed

    def film(self, planned: PlannedClip) -> KnownClip:
        """Draw a clip and write its frames."""
        split = planned.video.split('_')[0]
        heads = [self._cast[split][i] for i in planned.identities]
        roles = [
            Role(head, actions)
            for head, actions in zip(heads, planned.actions, strict=True)
        ]
        rng = stream(self._seed, planned.video, 'clip')
        clip = draw_clip(roles, NUM_FRAMES, FRAME_SIZE, rng)
        folder = self._out / 'rawframes' / planned.video
        folder.mkdir(parents=True)
        for number, frame in enumerate(clip.frames, 1):
            _write_picture(folder / FRAME_TEMPLATE.format(number), frame, _JPEG)
        return KnownClip.from_views(
            planned.video,
            [head.name for head in heads],
            [role.labels() for role in roles],
            clip.views,
        )

    def portray(self, album: _Album) -> None:
        """Draw and write the pictures of an album."""
        head = self._cast[album.split][album.identity]
        rng = stream(self._seed, album.folder, 'faces')
        folder = self._out / album.folder
        folder.mkdir(parents=True)
        for number in range(album.number):
            _write_picture(folder / f'{number:03d}.png', draw_face(head, rng))


def _write_picture(path: Path, picture: np.ndarray, options: Sequence[int] = ()):
    done, encoded = cv2.imencode(path.suffix, picture[..., ::-1], options)
    if not done:
        raise OSError(f'OpenCV cannot encode {path}')
    path.write_bytes(encoded.tobytes())


@contextmanager
def _mapper(workers: int):
    """A ``map`` that keeps the order, over ``workers`` processes."""
    if workers <= 1:
        yield map
        return
    # Fork would copy a process that may hold threads of torch or OpenCV.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, mp_context=context) as pool:

        def each(function: Callable, items: Iterable) -> Iterable:
            return pool.map(function, items, chunksize=8)

        yield each
