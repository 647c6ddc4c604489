"""Video mAP as an mmengine metric."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from mmengine.logging import print_log

from mmanon.datasets.formats.ava_reader import (
    person_tubes,
    read_ava_boxes,
    read_excluded,
    read_tube_file,
    usual_step,
)
from mmanon.evaluation.functional.frame_map import IOU_RANGE, FrameBoxes
from mmanon.evaluation.functional.video_map import (
    link_tubes,
    trim_tube,
    video_average_precisions,
)
from mmanon.registry import METRICS
from mmanon.structures.tubes import Tube, cut_tube, fill_tube

from .action_metric import IMG_PATTERN, ActionMetric, ava_classes

__all__ = ['VideoMAPMetric']

LINKING = ('iou_thr', 'max_gap', 'iou_weight', 'top_k', 'min_length')


@METRICS.register_module()
class VideoMAPMetric(ActionMetric):
    """Mean average precision of action tubes.

    Detections in frames are linked to tubes (:func:`link_tubes`). In frames between
    detections, boxes are interpolated linearly. The tubes are compared with annotated
    tubes by their spatio-temporal IoU (:func:`video_average_precisions`).

    The ground truth is one of:

    - a ``.json`` file of tubes as for ``tools/dataset_converters/ucf101_24.py``
      (:func:`read_tube_file`). Videos without any data sample, such as those of the
      other split, do not count.
    - a ``.csv`` file in the format of AVA, in which the boxes of one person doing one
      action are a tube (:func:`person_tubes`). All its videos count.

    ``frames`` selects the frames that count:

    - ``'annotated'``: all frames of the annotated tubes in a ``.json`` file, or all
      annotated timestamps of a ``.csv`` file. With a ``.json`` file and predictions for
      all frames this is the protocol of UCF101-24 and JHMDB.
    - ``'predicted'``: only frames with data samples. This is a fair comparison of
      methods that are tested on the same keyframes, however few.

    ``AVADataset`` has samples only for annotated timestamps, so the detector knows when
    something happens. On untrimmed videos the figure is then higher than for a detector
    that examines all frames.

    It reports, in [0, 1], ``video/mAP@0.2``, ``video/mAP@0.5`` and others of
    ``iou_thrs``, the mean over the thresholds 0.5, 0.55, …, 0.95 as
    ``video/mAP@0.5:0.95``, and with ``classwise`` each class with ground truth as
    ``video/AP@0.5/<class>``.

    Args:
        ann_file (str): Tubes (``.json``), or annotations in the format of AVA
            (``.csv``).
        label_file (str, optional): Label map of a ``.csv`` file, as in
            :class:`FrameMAPMetric`.
        exclude_file (str, optional): Timestamps of a ``.csv`` file that do not count.
        num_classes (int, optional): Number of score columns, with the background.
            Defaults to the number that follows from the classes of the ``.json`` file
            or of ``label_file``.
        custom_classes (Sequence[int], optional): The only actions of a ``.csv`` file to
            measure, as in :class:`FrameMAPMetric`.
        action_thr (float): Score above which a box of a detector of clips has a class;
            if negative, a box has only the class of its highest score. Defaults to
            0.002.
        background_class (bool): Whether the first score column is the background, as
            in ``BBoxHeadAVA``. Defaults to True.
        frames (str): ``'annotated'`` or ``'predicted'``. Defaults to ``'annotated'``.
        first_frame (int): Timestamp or file number of frame 0 of a ``.json`` file.
            Defaults to 1, as in the data sets of the converters.
        linking (dict, optional): Arguments of :func:`link_tubes`. ``max_gap`` defaults
            to 5 times the usual distance between predicted frames.
        trim_cost (float, optional): ``switch_cost`` of :func:`trim_tube`, which needs
            scores in [0, 1] that are above 0.5 during the action. By default tubes are
            not trimmed.
        person_gap (int, optional): ``max_gap`` of :func:`person_tubes`.
        img_pattern (str): Regular expression that finds ``video`` and ``frame`` in
            ``img_path``, for detectors of frames. Defaults to the name of the folder
            and the last number of the file name.
        iou_thrs (Sequence[float]): IoU thresholds. Defaults to (0.2, 0.5).
        classwise (bool): Whether to report each class as well. Defaults to False.
        collect_device (str): See mmengine's ``BaseMetric``.
        prefix (str, optional): Prefix of the names of the figures. Defaults to
            ``'video'``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file or an argument is invalid.

    Example:
        >>> test_evaluator = dict(
        ...     type='mmanon.VideoMAPMetric',
        ...     ann_file='data/ucf24/tubes.json',
        ...     linking=dict(iou_thr=0.3))
    """

    default_prefix = 'video'

    def __init__(
        self,
        ann_file: str,
        label_file: str | None = None,
        exclude_file: str | None = None,
        num_classes: int | None = None,
        custom_classes: Sequence[int] | None = None,
        action_thr: float = 0.002,
        background_class: bool = True,
        frames: str = 'annotated',
        first_frame: int = 1,
        linking: dict | None = None,
        trim_cost: float | None = None,
        person_gap: int | None = None,
        img_pattern: str = IMG_PATTERN,
        iou_thrs: Sequence[float] = (0.2, 0.5),
        classwise: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        if frames not in ('annotated', 'predicted'):
            raise ValueError(
                f"frames must be 'annotated' or 'predicted', got {frames!r}"
            )
        self.linking = dict(linking or {})
        unknown = sorted(set(self.linking) - set(LINKING))
        if unknown:
            raise ValueError(f'linking has {unknown[0]!r}; it can have {LINKING}')
        # Checks the arguments now, and not after hours of testing.
        nothing = np.zeros(0, int)
        link_tubes(FrameBoxes(nothing, nothing, np.zeros((0, 4))), **self.linking)
        if trim_cost is not None and trim_cost < 0:
            raise ValueError(f'trim_cost must be at least 0, got {trim_cost}')
        self.dense = str(ann_file).endswith('.json')
        if self.dense:
            if label_file or exclude_file or custom_classes or person_gap:
                raise ValueError(
                    'label_file, exclude_file, custom_classes and person_gap are for '
                    f'annotations in the format of AVA, not for {ann_file}'
                )
            names, tubes = read_tube_file(ann_file)
            first = int(background_class)
            classes = dict(enumerate(names, first))
            columns = list(range(len(names) + first))
            if num_classes not in (None, len(columns)):
                raise ValueError(
                    f'{ann_file} has {len(names)} classes, so num_classes must be '
                    f'{len(columns)}, got {num_classes}'
                )
        else:
            lines = read_ava_boxes(ann_file)
            classes, columns = ava_classes(
                label_file, num_classes, custom_classes, background_class
            )
        super().__init__(
            classes,
            columns,
            background_class,
            action_thr,
            img_pattern,
            iou_thrs,
            classwise,
            collect_device,
            prefix,
        )
        self.ann_file = ann_file
        self.frames = frames
        self.trim_cost = trim_cost
        self.excluded = read_excluded(exclude_file) if exclude_file else set()
        # The annotated tubes of each video, and the frames that are annotated.
        self.truth: dict[str, list[Tube]] = {}
        self.moments: dict[str, set[int]] = defaultdict(set)
        if self.dense:
            for video, those in tubes.items():
                self.truth[video] = [
                    replace(tube, frames=tube.frames + first_frame) for tube in those
                ]
            return
        labels = self.line_labels(lines, ann_file, all_known=custom_classes is None)
        self.truth = {video: [] for video in lines.videos}
        for tube in person_tubes(lines, labels, person_gap):
            self.truth[tube.video].append(tube)
        for video, moment in zip(lines.videos, lines.timestamps, strict=True):
            if (video, int(moment)) not in self.excluded:
                self.moments[video].add(int(moment))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Link the detections and compute the figures.

        Raises:
            ValueError: If there are no annotations, a video is not annotated, or a
                frame was predicted twice.
        """
        self.check_frames(results, self.truth, self.ann_file)
        by_video: dict[str, list[dict]] = defaultdict(list)
        for result in results:
            if (result['video'], result['frame']) not in self.excluded:
                by_video[result['video']].append(result)
        seen = {
            video: np.array(sorted(result['frame'] for result in those))
            for video, those in by_video.items()
        }
        linking = {
            'max_gap': 5 * usual_step([frames.tolist() for frames in seen.values()]),
            **self.linking,
        }
        found: list[Tube] = []
        for video, those in by_video.items():
            for tube in self._link(video, those, linking):
                found.append(fill_tube(tube, self._frames(video, seen[video])))
        counted = self.truth
        if self.dense:
            counted = {v: tubes for v, tubes in counted.items() if v in by_video}
            if len(counted) < len(self.truth):
                print_log(
                    f'{len(self.truth) - len(counted)} of the {len(self.truth)} videos '
                    f'of {self.ann_file} have no predictions and do not count.',
                    logger='current',
                )
        truth = []
        for video, tubes in counted.items():
            frames = self._frames(video, seen.get(video, np.zeros(0, int)))
            for tube in tubes:
                cut = tube if frames is None else cut_tube(tube, frames)
                truth += [] if cut is None else [cut]
        precisions = video_average_precisions(
            found, truth, len(self.classes), [*self.iou_thrs, *IOU_RANGE]
        )
        return self.figures(precisions)

    def _link(self, video: str, results: Sequence[dict], linking: dict) -> list[Tube]:
        detections = FrameBoxes(
            np.repeat(
                [r['frame'] for r in results], [len(r['boxes']) for r in results]
            ),
            np.concatenate([r['labels'] for r in results]),
            np.concatenate([r['boxes'] for r in results]),
            np.concatenate([r['scores'] for r in results]),
        )
        tubes = link_tubes(detections, video, **linking)
        if self.trim_cost is None:
            return tubes
        return [part for tube in tubes for part in trim_tube(tube, self.trim_cost)]

    def _frames(self, video: str, seen: np.ndarray) -> np.ndarray | None:
        """Return the frames of a video that count; None means all."""
        if self.frames == 'predicted':
            return seen
        if self.dense:
            return None
        return np.union1d(seen, np.array(sorted(self.moments[video]), int))
