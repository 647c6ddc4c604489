"""Builds a mini benchmark in a temporary folder, which is renamed when complete."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mmanon.utils.atomic_write import folder_written_whole, restore_folder

from .actions import ACTIONS, BODY_ACTIONS, FACE_ACTIONS
from .annotations import KnownClip, write_face_table, write_labels, write_split
from .cast import Cast, cast_identities
from .face_set import draw_face
from .plan import PlannedClip, plan_clips, stream
from .scene import Role, draw_clip
from .settings import (
    FRAME_TEMPLATE,
    KEY_FRAME,
    NUM_FRAMES,
    VERSION,
    MiniBenchmarkSettings,
)

__all__ = ['build_mini_benchmark', 'is_there']

_LATER = ('frame_size', 'max_people', 'crop_size', 'margin')
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 94]


def is_there(out: Path, settings: MiniBenchmarkSettings) -> bool:
    """Whether ``out`` is a complete benchmark with these settings.

    Raises:
        FileExistsError: If ``out`` is something else.
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
    # Settings that did not exist when it was made have their defaults.
    defaults = {one.name: one.default for one in fields(settings)}
    have = {**{name: defaults[name] for name in _LATER}, **have}
    if version != VERSION:
        have, want = {**have, 'version': version}, {**want, 'version': VERSION}
    if have == want:
        return True
    different = [
        f'{key} is {have.get(key)}, not {want.get(key)}'
        for key in sorted({*have, *want})
        if have.get(key) != want.get(key)
    ]
    raise FileExistsError(
        f'{out} is a mini benchmark with other settings ({"; ".join(different)}); '
        'replace it by --force or name another folder by --out'
    )


def build_mini_benchmark(
    out: str | Path,
    settings: MiniBenchmarkSettings,
    workers: int = 1,
    force: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> bool:
    """Generate the benchmark, unless it exists already.

    Args:
        out: Its folder; it appears when everything is written.
        settings: They determine its content.
        workers: Number of processes that draw; it does not change the content.
        force: Whether to replace a mini benchmark with other settings.
        report: Called with messages about the progress.

    Returns:
        Whether it was generated; False if it existed already.

    Raises:
        FileExistsError: If ``out`` is something else.
    """
    out = Path(out)
    restore_folder(out)
    try:
        if is_there(out, settings):
            return False
    except FileExistsError:
        if not force or not (out / 'meta.json').is_file():
            raise
    with folder_written_whole(out) as part:
        _write_all(part, settings, workers, report)
    return True


def _write_all(
    out: Path,
    settings: MiniBenchmarkSettings,
    workers: int,
    report: Callable[[str], None],
) -> None:
    if settings.faces:
        report(f'reading photographs in {", ".join(settings.faces)}')
    with _workers(workers) as each:
        cast = cast_identities(settings, each)
    clips = {
        split: plan_clips(
            split, number, len(cast[split]), settings.seed, settings.max_people
        )
        for split, number in (
            ('train', settings.train_clips),
            ('test', settings.test_clips),
        )
    }
    albums = [
        _Album(folder, i, number)
        for folder, number in (
            ('train', settings.train_faces),
            ('val', settings.val_faces),
            ('test', settings.val_faces),
        )
        for i in range(len(cast[folder]))
    ]
    annotations = out / 'annotations'
    annotations.mkdir(parents=True)
    studio = _Studio(out, cast, settings)
    with _workers(workers, _open_studio, (studio,)) as each:
        known = {}
        for split, planned in clips.items():
            report(f'drawing {len(planned)} {split} clips')
            known[split] = list(each(_film, planned))
            write_split(annotations, split, known[split], settings.seed)
        report(f'drawing {sum(a.number for a in albums)} faces')
        for _ in each(_portray, albums):
            pass
    write_labels(annotations)
    clips_of_all = [*known['train'], *known['test']]
    write_face_table(out / 'faces.parquet', clips_of_all, settings.frame_size)
    about = _describe(settings, known, cast)
    (out / 'meta.json').write_text(json.dumps(about, indent=2))


def _describe(
    settings: MiniBenchmarkSettings,
    known: dict[str, list[KnownClip]],
    cast: Cast,
) -> dict:
    return {
        'version': VERSION,
        'settings': asdict(settings),
        'actions': list(ACTIONS),
        'face_actions': list(FACE_ACTIONS),
        'body_actions': list(BODY_ACTIONS),
        'identities': {
            split: [identity.name for identity in cast[split]]
            for split in ('train', 'test')
        },
        'clips': {
            'num_frames': NUM_FRAMES,
            'key_frame': KEY_FRAME,
            'frame_size': settings.frame_size,
            'people': {
                split: sum(len(clip.labels) for clip in clips)
                for split, clips in known.items()
            },
        },
        'faces': {
            'crop_size': settings.crop_size,
            'margin': settings.margin,
            'geometry': 'the square around the centre of the face box (hairline to '
            'chin) with the side max(width, height) * (1 + 2 * margin), upright',
        },
    }


@dataclass(frozen=True)
class _Album:
    """The number of face images to draw of one identity of the ``split``."""

    split: str
    identity: int
    number: int


@dataclass(frozen=True)
class _Studio:
    """Everything that a process needs to draw and to write files."""

    out: Path
    cast: Cast
    settings: MiniBenchmarkSettings


_studio: _Studio


def _open_studio(studio: _Studio) -> None:
    """Set the studio of this process once, instead of sending it with every job."""
    global _studio
    _studio = studio


def _film(planned: PlannedClip) -> KnownClip:
    """Draw a clip and write its frames."""
    rng = stream(_studio.settings.seed, planned.video, 'clip')
    cast = _studio.cast[planned.split]
    roles = [
        Role(cast[i].appearance(rng), actions)
        for i, actions in zip(planned.identities, planned.actions, strict=True)
    ]
    clip = draw_clip(roles, NUM_FRAMES, _studio.settings.frame_size, rng)
    folder = _studio.out / 'rawframes' / planned.video
    folder.mkdir(parents=True)
    for number, frame in enumerate(clip.frames, 1):
        _write_picture(folder / FRAME_TEMPLATE.format(number), frame, _JPEG)
    return KnownClip.from_views(
        planned.video,
        [role.head.name for role in roles],
        [role.labels() for role in roles],
        clip.views,
        _studio.settings.frame_size,
    )


def _portray(album: _Album) -> None:
    """Draw and write the face images of an album."""
    identity = _studio.cast[album.split][album.identity]
    rng = stream(_studio.settings.seed, album.split, 'faces', album.identity)
    folder = _studio.out / 'faces' / album.split / identity.name
    folder.mkdir(parents=True)
    for number in range(album.number):
        face = draw_face(identity.appearance(rng), rng, _studio.settings)
        _write_picture(folder / f'{number:03d}.png', face)


def _write_picture(
    path: Path, picture: np.ndarray, options: Sequence[int] = ()
) -> None:
    done, encoded = cv2.imencode(path.suffix, picture[..., ::-1], options)
    if not done:
        raise OSError(f'OpenCV cannot encode {path}')
    path.write_bytes(encoded.tobytes())


@contextmanager
def _workers(
    count: int, initializer: Callable | None = None, arguments: tuple = ()
) -> Iterator[Callable[[Callable, Iterable], Iterable]]:
    """Provide a ``map`` over ``count`` processes that keeps the order."""
    if count <= 1:
        if initializer:
            initializer(*arguments)
        yield map
        return
    # Do not fork: this process may have threads of torch or OpenCV.
    context = multiprocessing.get_context('spawn')
    pool = ProcessPoolExecutor(count, context, initializer, arguments)
    with pool:
        yield partial(pool.map, chunksize=8)
