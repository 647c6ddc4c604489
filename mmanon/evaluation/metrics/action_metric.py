"""The base class of metrics of detected actions: reads predictions, names figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from mmanon.datasets.formats.ava_reader import AvaBoxes, read_label_map
from mmanon.evaluation.functional.frame_map import IOU_RANGE, mean_over_classes

__all__ = ['ActionMetric']

IMG_PATTERN = r'(?:^|/)(?P<video>[^/]+)/[^/]*?(?P<frame>\d+)\.\w+$'


class ActionMetric(BaseMetric):
    """Base class of metrics that compare detected actions with annotated ones.

    It accepts the predictions of two kinds of detectors:

    - Detectors of clips (mmaction2): ``pred_instances`` with ``bboxes`` (n, 4) as
      fractions of the frame and ``scores`` (n, columns), one column for each class; the
      sample has ``video_id`` and ``timestamp``, or ``img_key``. A box counts for each
      class whose score is above ``action_thr``.
    - Detectors of frames (mmdet): ``pred_instances`` with ``bboxes`` (n, 4) in pixels
      of ``ori_shape``, ``labels`` (n,), the indices of the data set's ``classes``, and
      ``scores`` (n,). ``img_path`` tells video and frame.

    Args:
        classes (dict): Names of the measured actions by their numbers.
        columns (Sequence[int]): Number of the action in each column of the scores.
        background_class (bool): Whether the first column is the background.
        action_thr (float): Score above which a box of a detector of clips has a class.
            If negative, each box has only the class of its highest score.
        img_pattern (str): Regular expression that finds ``video`` and ``frame`` in the
            path of a frame, with slashes.
        iou_thrs (Sequence[float]): The thresholds to report, in (0, 1]; the mean over
            0.5:0.95 is always reported.
        classwise (bool): Whether to report each class as well.
        collect_device (str): See mmengine's ``BaseMetric``.
        prefix (str, optional): Prefix of the names of the figures.

    Raises:
        ValueError: If a threshold or ``img_pattern`` is invalid.
    """

    def __init__(
        self,
        classes: dict[int, str],
        columns: Sequence[int],
        background_class: bool,
        action_thr: float,
        img_pattern: str,
        iou_thrs: Sequence[float],
        classwise: bool,
        collect_device: str,
        prefix: str | None,
    ) -> None:
        super().__init__(collect_device, prefix)
        for thr in iou_thrs:
            if not 0 < thr <= 1:
                raise ValueError(f'iou_thrs must be in (0, 1], got {thr}')
        self.img_pattern = re.compile(img_pattern)
        if not {'video', 'frame'} <= set(self.img_pattern.groupindex):
            raise ValueError(
                'img_pattern must have the groups (?P<video>...) and (?P<frame>...), '
                f'got {img_pattern!r}'
            )
        self.iou_thrs = tuple(iou_thrs)
        self.classwise = classwise
        self.action_thr = action_thr
        self.classes = list(classes.values())
        # Labels of measured classes count from 0; -1 means not measured.
        self.label_of = {number: label for label, number in enumerate(classes)}
        self.columns = np.array([self.label_of.get(n, -1) for n in columns], int)
        if background_class and len(self.columns):
            self.columns[0] = -1
        self.first_column = int(background_class)
        self.numbers = set(columns[self.first_column :])

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Read a batch of predictions.

        Raises:
            ValueError: If a score or a box is not finite, a class is unknown, or a
                sample does not name its frame; the message names the frame.
        """
        self.results += [self.read(sample) for sample in data_samples]

    def read(self, sample: dict) -> dict[str, Any]:
        """Read the detections of one sample.

        Returns:
            ``video``, ``frame``, ``boxes`` (n, 4) as fractions of the frame,
            ``labels`` (n,) in [0, C) and ``scores`` (n,).
        """
        video, frame = self.frame_of(sample)
        where = f'video {video!r}, frame {frame}'
        boxes, labels, scores = self.detections(sample['pred_instances'], where)
        if labels is None:
            chosen, labels, scores = self._classify(scores, where)
            boxes = boxes[chosen]
        else:
            labels = self._measured(labels, where)
            if 'ori_shape' not in sample:
                raise ValueError(f'{where}: the sample has no ori_shape')
            boxes = boxes / np.array([*sample['ori_shape'][1::-1]] * 2)
            kept = labels >= 0
            boxes, labels, scores = boxes[kept], labels[kept], scores[kept]
        return dict(video=video, frame=frame, boxes=boxes, labels=labels, scores=scores)

    def frame_of(self, sample: dict) -> tuple[str, int]:
        """Return the name of the video, and the number of the frame in it."""
        if 'video_id' in sample and 'timestamp' in sample:
            return str(sample['video_id']), int(sample['timestamp'])
        if 'img_key' in sample:
            video, _, timestamp = str(sample['img_key']).rpartition(',')
            return video, int(timestamp)
        if 'img_path' not in sample:
            raise ValueError(
                'a data sample has neither video_id and timestamp, nor img_key, nor '
                f'img_path, but {sorted(sample)}: add them to the meta_keys of its '
                'packing transform'
            )
        path = PurePath(sample['img_path']).as_posix()
        found = self.img_pattern.search(path)
        if found is None:
            raise ValueError(
                f'img_pattern {self.img_pattern.pattern!r} does not find video and '
                f'frame in the path {path!r}'
            )
        return found['video'], int(found['frame'])

    @staticmethod
    def detections(
        instances: dict, where: str
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Return boxes, labels (None for detectors of clips) and scores, all finite."""
        boxes = as_array(instances['bboxes']).reshape(-1, 4)
        scores = as_array(instances['scores'])
        labels = instances.get('labels')
        if not np.isfinite(scores).all():
            wrong = np.argwhere(~np.isfinite(scores))[0].tolist()
            raise ValueError(
                f'{where}: the score at {wrong} is {scores[tuple(wrong)]}, not finite'
            )
        if not np.isfinite(boxes).all():
            wrong = boxes[~np.isfinite(boxes).all(1)][0].tolist()
            raise ValueError(f'{where}: the box {wrong} is not finite')
        if labels is not None:
            labels = as_array(labels).astype(np.int64)
        if (
            len(scores) != len(boxes)
            or labels is not None
            and len(labels) != len(boxes)
        ):
            raise ValueError(f'{where}: boxes, labels and scores differ in length')
        return boxes, labels, scores

    def dataset_classes(self) -> list[str]:
        """Return the names of the classes of a detector of frames."""
        classes = (self.dataset_meta or {}).get('classes')
        if classes is None:
            raise ValueError(
                f'{type(self).__name__} needs the names of the classes: the data set '
                'has no `classes` in its metainfo'
            )
        return list(classes)

    def line_labels(
        self, annotations: AvaBoxes, path: str, all_known: bool
    ) -> np.ndarray:
        """Return the label of each annotated line, -1 for actions not measured.

        Raises:
            ValueError: If ``all_known``, and an action has no column in the scores.
        """
        numbers, inverse = np.unique(annotations.ids, return_inverse=True)
        for number in numbers:
            if all_known and number not in self.numbers:
                line = int(np.argmax(annotations.ids == number))
                raise ValueError(
                    f'{path}: action {number} of video {annotations.videos[line]!r} is '
                    f'not a class of {min(self.numbers)} … {max(self.numbers)}'
                )
        labels = np.array([self.label_of.get(int(n), -1) for n in numbers])
        return labels[inverse.reshape(-1)]

    def check_frames(self, results: Sequence[dict], videos: Any, path: str) -> None:
        """Check that all videos are annotated and no frame was predicted twice."""
        seen = set()
        for result in results:
            key = result['video'], result['frame']
            if result['video'] not in videos:
                raise ValueError(
                    f'the video {result["video"]!r} of the predictions is not in {path}'
                )
            if key in seen:
                raise ValueError(
                    f'video {key[0]!r}, frame {key[1]} was predicted twice'
                )
            seen.add(key)

    def figures(self, precisions: np.ndarray) -> dict[str, float]:
        """Return the figures by their names.

        Args:
            precisions: (R + 10, C), for ``iou_thrs`` and then for 0.5:0.95.

        Raises:
            ValueError: If no class has ground truth.
        """
        if np.isnan(precisions).all():
            raise ValueError(
                f'{type(self).__name__}: the evaluated frames have no annotation of '
                f'any of the {len(self.classes)} classes'
            )
        rows = {
            f'{thr:g}': row for thr, row in zip(self.iou_thrs, precisions, strict=False)
        }
        rows['0.5:0.95'] = precisions[-len(IOU_RANGE) :].mean(0)
        named = {
            f'mAP@{thr}': float(mean_over_classes(row[None])[0])
            for thr, row in rows.items()
        }
        if self.classwise:
            named |= {
                f'AP@{thr}/{name}': float(value)
                for thr, row in rows.items()
                for name, value in zip(self.classes, row, strict=True)
                if not np.isnan(value)
            }
        return named

    def _classify(
        self, scores: np.ndarray, where: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return row, label and score of each class that a box of a clip has."""
        if not len(scores):
            nothing = np.zeros(0, np.int64)
            return nothing, nothing, np.zeros(0)
        if scores.ndim != 2:
            raise ValueError(
                f'{where}: pred_instances has neither labels nor scores (n, classes)'
            )
        if scores.shape[1] != len(self.columns):
            raise ValueError(
                f'{where}: a box has {scores.shape[1]} scores, but num_classes is '
                f'{len(self.columns)} (with the background, if there is one)'
            )
        if self.action_thr >= 0:
            taken = scores > self.action_thr
        else:
            best = scores[:, self.first_column :].argmax(1) + self.first_column
            taken = np.arange(scores.shape[1]) == best[:, None]
        rows, columns = np.nonzero(taken & (self.columns >= 0))
        return rows, self.columns[columns], scores[rows, columns]

    def _measured(self, labels: np.ndarray, where: str) -> np.ndarray:
        """Convert labels from the data set's numbers of classes to the metric's."""
        names = self.dataset_classes()
        unknown = [name for name in names if name not in self.classes]
        if unknown:
            raise ValueError(
                f'the class {unknown[0]!r} of the data set is not one of the annotated '
                f'{self.classes}'
            )
        check_known(labels, names, where)
        return np.array([self.classes.index(name) for name in names])[labels]


def ava_classes(
    label_file: str | None,
    num_classes: int | None,
    custom_classes: Sequence[int] | None,
    background_class: bool,
) -> tuple[dict[int, str], list[int]]:
    """Return the names of measured actions by number, and each score column's number.

    The numbers are those of ``AVADataset``: the number of an action is its column; with
    ``custom_classes``, these follow the background in their order.

    Raises:
        ValueError: If the arguments contradict each other.
    """
    names = None if label_file is None else read_label_map(label_file)
    if custom_classes is not None:
        wanted = list(custom_classes)
        if num_classes not in (None, len(wanted) + 1):
            raise ValueError(
                f'num_classes must be {len(wanted) + 1} with {len(wanted)} '
                f'custom_classes, got {num_classes}'
            )
        lacking = [n for n in wanted if n == 0 or names is not None and n not in names]
        if lacking:
            raise ValueError(
                f'custom_classes has {lacking[0]}, which is not a class of label_file'
            )
        names = {n: str(n) if names is None else names[n] for n in wanted}
        return names, [0, *wanted]
    if num_classes is None:
        if names is None:
            raise ValueError('num_classes is needed if there is no label_file')
        num_classes = max(names) + 1
    if names is None:
        names = {n: str(n) for n in range(num_classes)}
    if max(names) >= num_classes:
        raise ValueError(
            f'label_file has the class {max(names)}, but num_classes is {num_classes}; '
            'it must be greater'
        )
    if background_class:
        names.pop(0, None)
    return names, list(range(num_classes))


def as_array(values: Any) -> np.ndarray:
    """Convert a tensor, boxes of mmdet, or an array to a float64 array."""
    values = getattr(values, 'tensor', values)
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, np.float64)


def check_known(labels: np.ndarray, classes: Sequence[str], where: str) -> None:
    """Check that labels are indices of classes."""
    wrong = (labels < 0) | (labels >= len(classes))
    if wrong.any():
        raise ValueError(
            f'{where}: label {labels[wrong][0]} is not one of the {len(classes)} '
            f'classes {list(classes)}'
        )
