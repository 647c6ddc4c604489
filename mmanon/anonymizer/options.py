"""The options of the anonymizer; this module imports nothing large."""

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
"""The scope in which a modifier with keys draws the same face: the track of a face, all
faces of a video, or one frame."""

SURE = 0.6
"""Faces with at least this score are always covered, others only on a track that has
more evidence. It is also the threshold of the detectors, except MTCNN's (0.7)."""

PRESETS: dict[str, dict[str, Any]] = {
    'careful': dict(every=1, score_thr=0.55, hold=6, mask_scale=1.2),
    'balanced': {},
    'fast': dict(every=10),
}
"""Presets of options; docs/anonymize.md gives the faces that each misses, its false
covers and its time."""

_EVERY, _CONSECUTIVE = 5, 5


@dataclass(frozen=True)
class DetectionOptions:
    """How faces are searched for, and how long they are followed.

    Attributes:
        detector (str, Mapping or BaseFaceDetector, optional): ``'centerface'``,
            ``'mtcnn'``, ``'yunet'``, ``'thorough'``, the config of a face detector, or
            a face detector; see :func:`.face_finding.build_detector`. Defaults to
            ``'centerface'``.
        detector_weights (str or Path, optional): ONNX file of YuNet.
        boxes (str or Path, optional): A file with the boxes of the faces, instead of a
            detector; see :class:`.given_faces.GivenFaces`.
        score_thr (float): Score, in [0, 1], from which one detection of a face is
            enough to cover it. A track of detections with lower scores is covered when
            there are enough of them.
        every (int, optional): Search each n-th frame of a video, frames in which the
            picture changes, and frames between two that do not agree; in the others,
            faces are followed. There are at least five searches per second of video.
            Defaults to 5, and to 1 if people are distinguished or ``detector`` is not a
            name.
        scale (float): Factor by which pictures are shrunk before the search, in (0, 1].
        look_ahead (int): Number of frames known beyond the one that is written; a lost
            track is bridged for as many frames.
        hold (int): Number of frames for which a face is covered before and after it is
            found.
        minimum_consecutive_frames (int, optional): Also cover a face below
            ``score_thr`` if its track finds it in this number of the known frames.
            Defaults to 5 for ``'thorough'`` if ``look_ahead`` is at least 5; otherwise
            it is off.
        covered_kinds (str or Mapping): The kinds of objects to cover: a text for
            :func:`.kinds.parse_kinds`, or the detector of each kind, as for
            :func:`.other_kinds.build_others`. Defaults to faces.
        heads (bool, str or Path): Whether heads without a visible face are covered if a
            body is found below them; a path is an ONNX file that finds people. See
            :class:`.HeadDetector`.

    Raises:
        ValueError: When values contradict each other or are out of range.
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
                'covered_kinds must contain at least one kind, and None for faces: '
                f'detector and boxes find those; got {dict(kinds)!r}'
            )
        if FACES not in kinds and self.boxes is not None:
            raise ValueError(
                'boxes are for faces, but covered_kinds contains no faces: add faces'
            )
        if not 0 <= self.score_thr <= 1:
            raise ValueError(f'score_thr must be in [0, 1], got {self.score_thr}')
        if self.every is not None and self.every < 1:
            raise ValueError(f'every must be at least 1, got {self.every}')
        if self.boxes is not None and ((self.every or 1) > 1 or self.scale != 1):
            raise ValueError(
                'every and scale are for a detector: they cannot be combined with boxes'
            )
        if self.boxes is not None and self.heads is not False:
            raise ValueError(
                'heads need a detector: they cannot be combined with boxes'
            )

    def kinds(self) -> Mapping[str, Any]:
        """The covered kinds of objects, and the detector or file of each."""
        if isinstance(self.covered_kinds, str):
            return parse_kinds(self.covered_kinds)
        return self.covered_kinds

    def keyframe_interval(self, tells_people_apart: bool) -> int:
        """The number of frames from one search to the next.

        Args:
            tells_people_apart (bool): Whether people are distinguished.
        """
        if self.every is not None:
            return self.every
        # Nothing is known about the reliability of a user's own detector.
        own = self.detector is not None and not isinstance(self.detector, str)
        if self.boxes is not None or own or tells_people_apart:
            return 1
        return _EVERY

    @property
    def looks_in_scales(self) -> bool:
        """Whether pictures may be enlarged or shrunk before they are searched."""
        # A user's own detector may not work in other sizes.
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
    """Whose faces are covered, if not everybody's.

    Attributes:
        allowlist (str or Path, optional): Folder with photographs of people who stay
            visible.
        only (str or Path, optional): Folder with photographs of the only people to
            cover.
        recognizer (str, Path or Mapping, optional): The recognizer: weights of
            MobileFaceNet, or the config of a ``FaceClassifier``.

    Raises:
        ValueError: When values contradict each other.
    """

    allowlist: str | Path | None = None
    only: str | Path | None = None
    recognizer: str | Path | Mapping | None = None

    def __post_init__(self) -> None:
        if self.allowlist is not None and self.only is not None:
            raise ValueError('allowlist and only exclude each other: give one of them')
        if self.folder is not None and self.recognizer is None:
            raise ValueError(
                'allowlist and only need a recognizer: give weights of MobileFaceNet, '
                'or the config of a FaceClassifier'
            )

    @property
    def folder(self) -> str | Path | None:
        """The folder of photographs, if people are distinguished."""
        return self.allowlist if self.only is None else self.only


@dataclass(frozen=True)
class MaskingOptions:
    """How faces are covered.

    Attributes:
        modifier (str, Path, Mapping or BaseModifier, optional): M by its name, config
            or file; see :func:`.backends.base.build_backend`. Defaults to 16 mean
            colours.
        weights (str or Path, optional): Weights of a learned modifier.
        crop_size (int, optional): Side of a face crop in pixels. Defaults to that of
            the modifier's card or config, or 128 (32 for the default cover).
        margin (float, optional): A face box is enlarged on each side by this fraction
            of its longer side. Defaults to that of the modifier's card or config, or
            0.3.
        feather (float, optional): Width of the blended edge, as a fraction of the
            crop's side. Defaults to that of the modifier's card or config, or 0.08, and
            is reduced if part of a face box would show.
        shape (str, optional): ``'ellipse'``, which surrounds the face and leans as the
            head does, or ``'square'``, the whole crop. Defaults to ``'square'`` for a
            learned modifier, which also draws the surroundings of the face, and to
            ``'ellipse'`` for others.
        mask_scale (float): Size of the ellipse as a multiple of the face box, at least
            1.
        align (bool): Whether the modifier gets faces that are turned upright by their
            eyes, for people who lean their heads; the margin must be at least 0.21.
        seed (int, optional): Makes noise and keys repeatable. Defaults to a secret
            one.
        key_per (str): The scope in which a modifier with keys or noise draws the same
            face, one of :data:`KEY_PER`. ``'video'`` draws the same face for everybody
            in a video, and ``'frame'`` flickers. Defaults to ``'track'``.
        regions (Sequence): Areas of the picture that are always covered, or whose faces
            stay visible: each is a :class:`.regions.Region`, a JSON file of regions, or
            a text for :func:`.regions.parse_region`.

    Raises:
        ValueError: When ``key_per`` is unknown.
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
        codec, quality, container, encoder_options: Options for videos; see
            :class:`.io.video_writer.VideoWriter`. The container defaults to that of the
            source.
        copy_audio (bool): Whether sound is copied.
        keep_metadata (bool): Whether titles, places, devices and dates are kept;
            thumbnails are never kept.
        largest_image (float): Maximum size of an image in megapixels; decoding takes up
            to 8 MB of memory per megapixel.

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
    """Sort options into their groups.

    The command line, the page and Ray use it to build an :class:`AnonymizerInferencer`.

    Args:
        preset (str, optional): One of :data:`PRESETS`; ``values`` override its options.
        **values: Attributes of the four groups by their names, and ``device``.

    Returns:
        dict: Arguments of :class:`AnonymizerInferencer`: the groups that have a value,
        and ``device`` if it is given.

    Raises:
        TypeError: When an option is unknown.
        ValueError: When values contradict each other, or the preset is unknown.

    Examples:
        >>> group_options('careful', hold=3)['detection'].every
        1
        >>> group_options(hold=3, shape='ellipse')['masking'].shape
        'ellipse'
    """
    if preset is not None and preset not in PRESETS:
        raise ValueError(
            f'there is no preset {preset!r}: there are {", ".join(PRESETS)}'
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
