"""The options; the commands read them before anything large is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmanon.face_detectors.kinds import FACES, parse_kinds
from mmanon.face_detectors.named import DETECTOR_NAMES
from mmanon.utils.near_names import or_near

if TYPE_CHECKING:
    from mmanon.face_detectors import BaseFaceDetector
    from mmanon.models.modifiers import BaseModifier

    from .regions import Region

__all__ = [
    'DETECTORS',
    'KEY_PER',
    'PRESETS',
    'SURE',
    'DetectionOptions',
    'EncodingOptions',
    'MaskingOptions',
    'PeopleOptions',
    'group_options',
]

DETECTORS = DETECTOR_NAMES
"""Face detectors by name; see :func:`.face_finding.build_detector`."""

KEY_PER = ('track', 'video', 'frame')
"""How long a modifier with keys draws the same face: along the track of a face, for all
faces of a video, or in one frame."""

SURE = 0.6
"""Faces at least this sure are masked wherever they are, less sure ones only on a track
that is surer. MTCNN's own threshold is 0.7, that of the others this."""

PRESETS: dict[str, dict[str, Any]] = {
    'careful': dict(every=1, score_thr=0.55, hold=6, mask_scale=1.2),
    'balanced': {},
    'fast': dict(every=10),
}
"""Options by what somebody cares for most; docs/anonymize.md says what each misses,
covers and takes."""

_EVERY, _CONSECUTIVE = 5, 5


@dataclass(frozen=True)
class DetectionOptions:
    """Where faces are looked for, and how long one is followed.

    Attributes:
        detector (str, Mapping or BaseFaceDetector, optional): ``'centerface'``,
            ``'mtcnn'``, ``'yunet'``, ``'thorough'``, the config of a face detector, or
            one that is built; see :func:`.face_finding.build_detector`. Defaults to
            ``'centerface'``.
        detector_weights (str or Path, optional): ONNX file of YuNet.
        boxes (str or Path, optional): A face table or JSON file to take the faces from
            instead; see :class:`.given_faces.GivenFaces`.
        score_thr (float): Score, in [0, 1], from which one sight of a face is enough to
            mask it. A track of less sure sights is masked when there are enough.
        every (int, optional): Search each n-th frame of a video, frames in which the
            picture changes, and frames between two that do not agree; in the others
            faces are followed. Below 25 frames a second it searches more often
            accordingly. Defaults to 5, and to 1 if people are distinguished or you
            supply the detector.
        scale (float): Search a picture that is shrunk by this factor, in (0, 1].
        look_ahead (int): Frames known beyond the one that is written; a lost track is
            bridged for as long.
        hold (int): Frames a face is masked before and after it is found.
        minimum_consecutive_frames (int, optional): Also mask a face below ``score_thr``
            if its track finds it in so many of the frames known at a time. Defaults to
            5 for ``'thorough'`` (with as much look-ahead); otherwise off.
        covered_kinds (str or Mapping): The kinds of objects to cover: a text for
            :func:`.kinds.parse_kinds`, or the detector of each kind, as for
            :func:`.other_kinds.build_others`. Defaults to faces.
        heads (bool, str or Path): Whether heads without a visible face are masked if a
            body is found below them; a path names an ONNX file that finds people. See
            :class:`.HeadDetector`.

    Raises:
        ValueError: When values do not go together.
    """

    detector: str | Mapping | BaseFaceDetector | None = None
    detector_weights: str | Path | None = None
    boxes: str | Path | None = None
    score_thr: float = SURE
    every: int | None = None
    scale: float = 1.0
    look_ahead: int = 24
    hold: int = 4
    minimum_consecutive_frames: int | None = None
    covered_kinds: str | Mapping[str, Any] = FACES
    heads: bool | str | Path = False

    def __post_init__(self) -> None:
        kinds = self.kinds()
        if not kinds or kinds.get(FACES) is not None:
            raise ValueError(
                'covered_kinds must name a kind at least, and of faces None: they are '
                f'found as detector and boxes say; got {dict(kinds)!r}'
            )
        if FACES not in kinds and self.boxes is not None:
            raise ValueError(
                'boxes are those of faces, and covered_kinds names other things alone: '
                'name faces as well'
            )
        if not 0 <= self.score_thr <= 1:
            raise ValueError(f'score_thr must be in [0, 1], got {self.score_thr}')
        if self.every is not None and self.every < 1:
            raise ValueError(f'every must be at least 1, got {self.every}')
        if self.boxes is not None and ((self.every or 1) > 1 or self.scale != 1):
            raise ValueError(
                'every and scale are for looking for faces: they do not go with boxes'
            )
        if self.boxes is not None and self.heads is not False:
            raise ValueError('heads are looked for: they do not go with boxes')

    def kinds(self) -> Mapping[str, Any]:
        """By kind of thing that is covered what finds it."""
        if isinstance(self.covered_kinds, str):
            return parse_kinds(self.covered_kinds)
        return self.covered_kinds

    def keyframe_interval(self, tells_people_apart: bool) -> int:
        """How many frames there are from one look to the next.

        Args:
            tells_people_apart (bool): Whether it matters whose faces are found.
        """
        if self.every is not None:
            return self.every
        # What a detector of one's own finds twice may not be what it should.
        own = self.detector is not None and not isinstance(self.detector, str)
        if self.boxes is not None or own or tells_people_apart:
            return 1
        return _EVERY

    @property
    def looks_in_scales(self) -> bool:
        """Whether pictures may be made larger or smaller before they are looked at."""
        # Nobody knows what a detector of one's own makes of that.
        named = self.detector is None or isinstance(self.detector, str)
        return named and self.boxes is None

    def frames_to_believe(self) -> int | None:
        """``minimum_consecutive_frames``, or its default."""
        if self.minimum_consecutive_frames is not None:
            return self.minimum_consecutive_frames
        if self.detector == 'thorough' and self.look_ahead >= _CONSECUTIVE:
            return _CONSECUTIVE
        return None


@dataclass(frozen=True)
class PeopleOptions:
    """Whose faces are masked, where it is not everybody's.

    Attributes:
        allowlist (str or Path, optional): Folder with photographs of people who stay
            visible.
        only (str or Path, optional): Folder with photographs of the only people to
            mask.
        recognizer (str, Path or Mapping, optional): What recognizes them: weights of
            MobileFaceNet, or the config of a ``FaceClassifier``.

    Raises:
        ValueError: When values do not go together.
    """

    allowlist: str | Path | None = None
    only: str | Path | None = None
    recognizer: str | Path | Mapping | None = None

    def __post_init__(self) -> None:
        if self.allowlist is not None and self.only is not None:
            raise ValueError('allowlist and only exclude each other: name one of them')
        if self.folder is not None and self.recognizer is None:
            raise ValueError(
                'to tell people apart name a recognizer: weights of MobileFaceNet, or '
                'the config of a FaceClassifier'
            )

    @property
    def folder(self) -> str | Path | None:
        """The folder of photographs, if people are distinguished."""
        return self.allowlist if self.only is None else self.only


@dataclass(frozen=True)
class MaskingOptions:
    """What is drawn over a face.

    Attributes:
        modifier (str, Path, Mapping or BaseModifier, optional): M by name, config or
            file; see :func:`.backends.base.build_backend`. Defaults to grey.
        weights (str or Path, optional): Weights of a learned modifier.
        crop_size (int, optional): Side of a face crop in pixels. Defaults to what the
            modifier's config says, or 128.
        margin (float, optional): By how much a face box is enlarged on each side, in
            parts of its longer side. Defaults to what the modifier's config says, or
            0.3.
        feather (float, optional): Width of the fading edge, in parts of the crop.
            Defaults to what the modifier's config says, or 0.08, and never so wide
            that a face box would show.
        shape (str, optional): ``'ellipse'``, around the face and leaning as the head
            does, or ``'square'``, all of the crop. Defaults to the square for a learned
            modifier, which draws what is around a face to go with it, and to the
            ellipse for others.
        mask_scale (float): Width and height of the ellipse in parts of the face box's,
            at least 1.
        align (bool): Whether the modifier is shown faces turned upright by their eyes,
            for those who lean their head; with a margin of at least 0.21.
        seed (int, optional): Makes noise and keys repeatable. Defaults to a secret
            one.
        key_per (str): How long a modifier with keys, or noise, draws the same: one of
            :data:`KEY_PER`. ``'video'`` draws everybody in it alike, and ``'frame'``
            flickers. Defaults to ``'track'``.
        regions (Sequence): Parts of the picture that are always covered, or whose faces
            are always left: each a :class:`.regions.Region`, a JSON file of such, or a
            text as of :func:`.regions.parse_region`.

    Raises:
        ValueError: When ``key_per`` is another.
    """

    modifier: str | Path | Mapping | BaseModifier | None = None
    weights: str | Path | None = None
    crop_size: int | None = None
    margin: float | None = None
    feather: float | None = None
    shape: str | None = None
    mask_scale: float = 1.12
    align: bool = False
    seed: int | None = None
    key_per: str = 'track'
    regions: Sequence[str | Path | Region] = ()

    def __post_init__(self) -> None:
        if self.key_per not in KEY_PER:
            raise ValueError(
                f'key_per must be one of {", ".join(KEY_PER)}, got {self.key_per!r}'
            )


@dataclass(frozen=True)
class EncodingOptions:
    """How outputs are written, and what they keep of the input.

    Attributes:
        codec, quality, container, encoder_options: Of videos; see
            :class:`.io.video_writer.VideoWriter`. The container defaults to the
            source's.
        copy_audio (bool): Whether sound is copied.
        keep_metadata (bool): Whether titles, places, devices and dates are kept;
            thumbnails never are.
        largest_image (float): Megapixels an image may have at most: decoding one takes
            up to 8 MB of memory a megapixel.

    Raises:
        ValueError: When ``largest_image`` is not above 0.
    """

    codec: str | None = None
    quality: int | None = None
    container: str | None = None
    encoder_options: Mapping[str, str] | None = None
    copy_audio: bool = True
    keep_metadata: bool = False
    largest_image: float = 500

    def __post_init__(self) -> None:
        if not self.largest_image > 0:
            raise ValueError(f'largest_image must be above 0, got {self.largest_image}')


_GROUPS: dict[str, type] = {
    'detection': DetectionOptions,
    'people': PeopleOptions,
    'masking': MaskingOptions,
    'encoding': EncodingOptions,
}


def group_options(preset: str | None = None, **values: Any) -> dict[str, Any]:
    """Sort options by the group they belong to.

    The command line, the page and Ray fill an :class:`AnonymizerInferencer` by it.

    Args:
        preset (str, optional): One of :data:`PRESETS`, whose options hold where none is
            given.
        **values: Attributes of the four groups by their names, and ``device``.

    Returns:
        dict: Arguments of :class:`AnonymizerInferencer`: the groups of which a value is
        given, and ``device`` where it is.

    Raises:
        TypeError: When there is no such option.
        ValueError: When values do not go together, or there is no such preset.

    Examples:
        >>> group_options('careful', hold=3)['detection'].every
        1
        >>> group_options(hold=3, shape='ellipse')['masking'].shape
        'ellipse'
    """
    if preset is not None and preset not in PRESETS:
        raise ValueError(
            f'no preset is called {preset!r}: there are {", ".join(PRESETS)}'
        )
    chosen = PRESETS[preset] if preset else {}
    if 'boxes' in values:
        chosen = {name: value for name, value in chosen.items() if name != 'every'}
    values = {**chosen, **values}
    groups: dict[str, Any] = {}
    for group, kind in _GROUPS.items():
        names = {field.name for field in fields(kind)} & values.keys()
        if names:
            groups[group] = kind(**{name: values.pop(name) for name in sorted(names)})
    if 'device' in values:
        groups['device'] = values.pop('device')
    for name in values:
        known = [field.name for kind in _GROUPS.values() for field in fields(kind)]
        raise TypeError(f'there is no option {name}: {or_near(name, known)}')
    return groups
