"""Frame mAP as an mmengine metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmanon.datasets.formats.ava_reader import AvaBoxes, read_ava_boxes, read_excluded
from mmanon.evaluation.functional.frame_map import (
    IOU_RANGE,
    FrameBoxes,
    frame_average_precisions,
)
from mmanon.registry import METRICS

from .action_metric import IMG_PATTERN, ActionMetric, as_array, ava_classes, check_known

__all__ = ['FrameMAPMetric']


@METRICS.register_module()
class FrameMAPMetric(ActionMetric):
    """Mean average precision of actions detected in frames.

    This is the measure of JHMDB, DALY and UCF101-24: all-point average precision as in
    PASCAL VOC since 2010 (:func:`frame_average_precisions`), and its mean over the
    classes with ground truth. It differs from ``AVAMetric`` for classes that were never
    detected: AVA's evaluation leaves them out of the mean, here they count as 0.

    With ``ann_file``, the ground truth is a file in the format of AVA, and the
    arguments have the same meaning as in ``AVAMetric`` and ``AVADataset``; annotated
    frames without a prediction count as missed. Without it, the ground truth is
    ``gt_instances`` of each sample, as for ``VOCMetric`` of mmdet: boxes in pixels of
    the original image, so the test pipeline must load annotations after it resizes.
    Boxes that a data set marks to be ignored do not count in both cases.

    It reports, in [0, 1], ``frame/mAP@0.5`` and others of ``iou_thrs``, the mean over
    the thresholds 0.5, 0.55, …, 0.95 as ``frame/mAP@0.5:0.95``, and with ``classwise``
    each class with ground truth as ``frame/AP@0.5/<class>``.

    Args:
        ann_file (str, optional): Annotations in the format of AVA, a ``.csv`` file.
        label_file (str, optional): Label map, a ``.pbtxt`` file; actions that are not
            in it are not measured. Without it the names of classes are their numbers.
        exclude_file (str, optional): Timestamps that are not evaluated, a ``.csv``
            file.
        num_classes (int, optional): Number of score columns with the background, as in
            ``AVAMetric``. Defaults to the largest number in ``label_file`` plus 1.
        custom_classes (Sequence[int], optional): The only actions to measure, as in
            ``AVADataset``.
        action_thr (float): Score above which a box of a detector of clips has a class;
            if negative, a box has only the class of its highest score. Defaults to
            0.002.
        background_class (bool): Whether the first score column is the background, as
            in ``BBoxHeadAVA``. Defaults to True.
        ignore_empty_frames (bool): Whether detections at timestamps that are not in
            ``ann_file`` are left out, as in AVA's evaluation; otherwise they count as
            wrong. Defaults to True.
        img_pattern (str): Regular expression that finds ``video`` and ``frame`` of
            ``ann_file`` in ``img_path``, for detectors of frames. Defaults to the name
            of the folder and the last number of the file name.
        iou_thrs (Sequence[float]): IoU thresholds. Defaults to (0.5,).
        classwise (bool): Whether to report each class as well. Defaults to False.
        collect_device (str): See mmengine's ``BaseMetric``.
        prefix (str, optional): Prefix of the names of the figures. Defaults to
            ``'frame'``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file or an argument is invalid.

    Example:
        >>> val_evaluator = dict(
        ...     type='mmanon.FrameMAPMetric',
        ...     ann_file='data/ucf24/annotations/test.csv',
        ...     label_file='data/ucf24/annotations/labels.pbtxt')
    """

    default_prefix = 'frame'

    def __init__(
        self,
        ann_file: str | None = None,
        label_file: str | None = None,
        exclude_file: str | None = None,
        num_classes: int | None = None,
        custom_classes: Sequence[int] | None = None,
        action_thr: float = 0.002,
        background_class: bool = True,
        ignore_empty_frames: bool = True,
        img_pattern: str = IMG_PATTERN,
        iou_thrs: Sequence[float] = (0.5,),
        classwise: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        classes: dict[int, str] = {}
        columns: list[int] = []
        annotations = None
        if ann_file is not None:
            annotations = read_ava_boxes(ann_file)
            classes, columns = ava_classes(
                label_file, num_classes, custom_classes, background_class
            )
        elif label_file or exclude_file or num_classes or custom_classes:
            raise ValueError(
                'label_file, exclude_file, num_classes and custom_classes need an '
                'ann_file: without one, the classes are those of the data set'
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
        self.annotations = annotations
        self.ignore_empty_frames = ignore_empty_frames
        self.excluded = read_excluded(exclude_file) if exclude_file else set()
        if annotations is not None and ann_file is not None:
            self.truth_labels = self.line_labels(
                annotations, ann_file, all_known=custom_classes is None
            )

    def read(self, sample: dict) -> dict[str, Any]:
        """Read the detections of a sample, and its ground truth if there is no file."""
        if self.annotations is not None:
            return super().read(sample)
        where = str(sample.get('img_path', sample.get('img_key', 'a data sample')))
        classes = self.dataset_classes()
        boxes, labels, scores = self.detections(sample['pred_instances'], where)
        if labels is None:
            raise ValueError(
                f'{where}: predictions of a detector of clips need an ann_file'
            )
        if 'gt_instances' not in sample:
            raise ValueError(
                f'{where}: the sample has no gt_instances; give an ann_file, or load '
                'annotations in the test pipeline'
            )
        truth = sample['gt_instances']
        true_labels = as_array(truth['labels']).astype(np.int64)
        check_known(labels, classes, where)
        check_known(true_labels, classes, where)
        return dict(
            boxes=boxes,
            labels=labels,
            scores=scores,
            true_boxes=as_array(truth['bboxes']).reshape(-1, 4),
            true_labels=true_labels,
        )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the figures.

        Raises:
            ValueError: If there are no annotations, a video is not annotated, or a
                frame was predicted twice.
        """
        if self.annotations is None:
            self.classes = self.dataset_classes()
            detections = _join(results, range(len(results)))
            truth = _join(results, range(len(results)), 'true_')
        else:
            detections, truth = self._from_file(results, self.annotations)
        precisions = frame_average_precisions(
            detections, truth, len(self.classes), [*self.iou_thrs, *IOU_RANGE]
        )
        return self.figures(precisions)

    def _from_file(
        self, results: Sequence[dict], lines: AvaBoxes
    ) -> tuple[FrameBoxes, FrameBoxes]:
        self.check_frames(results, set(lines.videos), str(self.ann_file))
        keys = list(zip(lines.videos, lines.timestamps.tolist(), strict=True))
        number: dict[tuple, int] = {}
        frames = [number.setdefault(key, len(number)) for key in keys]
        kept = self.truth_labels >= 0
        kept &= np.array([key not in self.excluded for key in keys], bool)
        truth = FrameBoxes(
            np.array(frames)[kept], self.truth_labels[kept], lines.boxes[kept]
        )
        taken = []
        for result in results:
            key = result['video'], result['frame']
            unknown = key not in number and self.ignore_empty_frames
            if key not in self.excluded and not unknown:
                taken.append((number.setdefault(key, len(number)), result))
        return _join(
            [result for _, result in taken], [frame for frame, _ in taken]
        ), truth


def _join(
    results: Sequence[dict], frames: Sequence[int], prefix: str = ''
) -> FrameBoxes:
    """Join the boxes of all results, each with the number of its frame."""
    boxes = [result[f'{prefix}boxes'] for result in results]
    labels = [result[f'{prefix}labels'] for result in results]
    joined = FrameBoxes(
        np.repeat(np.array(frames, int), [len(those) for those in boxes]),
        np.concatenate([np.zeros(0, int), *labels]),
        np.concatenate([np.zeros((0, 4)), *boxes]),
    )
    if prefix:
        return joined
    scores = [result['scores'] for result in results]
    return replace(joined, scores=np.concatenate([np.zeros(0), *scores]))
