"""A detector of actions, from its config and checkpoint, run window by window."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from torch import Tensor

from mmanon.models.weight_files import DETECTOR, extract_part, load_weights
from mmanon.structures.modifier_card import find_game_hooks
from mmanon.utils.devices import torch_place
from mmanon.utils.log import print_log

from .labels import action_names

__all__ = ['ActionDetector', 'Sight', 'read_detector_config']

# Pipeline steps that find and decode frames: here the frames are decoded already.
_LOADING = ('Decode', 'Init', 'LoadFaces', 'LoadAnnotations')


class Sight(NamedTuple):
    """The result of a detector for one window with K people.

    Attributes:
        boxes (np.ndarray): (K, 4), x1, y1, x2, y2 in fractions of the frame.
        scores (np.ndarray): (K, C) in [0, 1], the score of each action.
    """

    boxes: np.ndarray
    scores: np.ndarray


def read_detector_config(config: str | Path | Config) -> Config:
    """Read the config of a detector.

    Args:
        config (str, Path or Config): A file; a config of an installed package, such as
            ``'mmaction::detection/slowonly/….py'``; or the config itself.

    Raises:
        FileNotFoundError: When the file does not exist.
        ValueError: When it is not the config of a detector.
    """
    if isinstance(config, str) and '::' in config:
        from mmengine.hub import get_config

        config = get_config(config)
    elif not isinstance(config, Config):
        path = Path(config).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f'config {config} does not exist')
        config = Config.fromfile(path)
    name = config.filename or 'the config'
    missing = [key for key in ('model', 'test_dataloader') if config.get(key) is None]
    if missing:
        raise ValueError(
            f'{name} has no {" and no ".join(missing)}: give the config of a detector '
            'that can be tested'
        )
    return config


class ActionDetector:
    """Finds actions in windows of frames.

    Args:
        config (str, Path or Config): As for :func:`read_detector_config`. This is a
            config of the game, of which only the detector is built, or a plain config
            of mmaction2 (clips and boxes of people) or mmdet (single frames).
        checkpoint (str or Path): A training checkpoint of the game, a plain checkpoint,
            or the address of one, which is downloaded once.
        labels (str or Path, optional): As for :func:`.labels.action_names`.
        device (str): Where it runs.

    Attributes:
        config (Config): The config.
        takes_people (bool): Whether it needs the boxes of people.
        offsets (list[int]): Positions of the frames of its window, relative to the
            middle.
        names (list[str]): The names of the columns of its scores.
        place (Place): Where it actually runs.
        plays_game (bool): Whether the config has a hook that anonymizes.

    Raises:
        FileNotFoundError: When a file does not exist.
        ValueError: When the checkpoint does not fit the config, or the config's test
            pipeline is of an unknown kind.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        labels: str | Path | None = None,
        device: str = 'cpu',
    ) -> None:
        self.config = config = read_detector_config(config)
        self.plays_game = any(True for _ in find_game_hooks(config.to_dict()))
        self._scope = config.get('default_scope') or 'mmaction'
        init_default_scope(self._scope)
        dataset = _leaf(config.test_dataloader.dataset)
        steps = [dict(step) for step in dataset.get('pipeline', ())]
        kinds = [str(step.get('type')) for step in steps]
        samplers = [step for step in steps if _samples(step['type'])]
        kept = [step for step in steps if not step['type'].endswith(_LOADING)]
        self.takes_people = bool(samplers)
        name = config.filename or 'the config'
        with DefaultScope.overwrite_default_scope(self._scope):
            if samplers:
                self.offsets = _offsets(samplers[0], name)
                kept = [step for step in kept if not _samples(step['type'])]
            elif kinds and kinds[0].endswith('LoadImageFromFile'):
                self.offsets = [0]
                kept = [dict(type='mmdet.LoadImageFromNDArray'), *kept[1:]]
            else:
                raise ValueError(
                    f'{name}: its test pipeline begins with {kinds[:1]}, which is '
                    'neither a sampler of frames nor LoadImageFromFile'
                )
            self._pipeline = Compose(kept)
            self.model = MODELS.build(config.model)
        _load(self.model, checkpoint, name)
        self.place = torch_place(device)
        self.model.to(self.place.device).eval().requires_grad_(False)
        self.names = action_names(dataset, self._classes(), labels)

    def _classes(self) -> int:
        """The number of columns of the scores."""
        holder = getattr(self.model, 'roi_head', self.model)
        return int(holder.bbox_head.num_classes)

    def look(self, frames: Sequence[np.ndarray], people: np.ndarray) -> Sight:
        """Find the actions in a window.

        Args:
            frames (Sequence[np.ndarray]): T pictures, uint8 (H, W, 3) RGB, at the
                positions of :attr:`offsets`.
            people (np.ndarray): Boxes of people in the middle frame, (K, 4), x1, y1,
                x2, y2 in pixels. A detector of single frames ignores them.

        Returns:
            Sight: The actions of these people, in the same order. A detector of single
            frames returns those of the people that it has found itself.
        """
        if self.takes_people and not len(people):
            return Sight(np.zeros((0, 4)), np.zeros((0, len(self.names))))
        with DefaultScope.overwrite_default_scope(self._scope), torch.no_grad():
            if self.takes_people:
                given = self._of_clip(frames, people)
            else:
                given = dict(img=np.ascontiguousarray(frames[0][..., ::-1]), img_id=0)
            sample = self.model.test_step(pseudo_collate([self._pipeline(given)]))[0]
        found = sample.pred_instances.cpu()
        if self.takes_people:
            scores = _numpy(found.scores)
            scores[:, 0] = 0  # not an action: AVA's numbers begin at 1
            return Sight(_numpy(found.bboxes), scores)
        height, width = frames[0].shape[:2]
        boxes = _numpy(found.bboxes) / [width, height, width, height]
        scores = np.zeros((len(boxes), len(self.names)))
        scores[np.arange(len(boxes)), _numpy(found.labels).astype(int)] = _numpy(
            found.scores
        )
        return Sight(boxes, scores)

    def _of_clip(
        self, frames: Sequence[np.ndarray], people: np.ndarray
    ) -> dict[str, Any]:
        size = frames[0].shape[:2]
        boxes = np.asarray(people, np.float32)
        return dict(
            imgs=list(frames),
            original_shape=size,
            img_shape=size,
            modality='RGB',
            num_clips=1,
            clip_len=len(frames),
            crop_quadruple=np.array([0, 0, 1, 1], np.float32),
            # Boxes are packed only if there are annotations.
            gt_bboxes=boxes.copy(),
            gt_labels=np.zeros((len(boxes), len(self.names)), np.float32),
            proposals=boxes.copy(),
            scores=np.ones(len(boxes), np.float32),
            video_id='video',
            timestamp=0,
            img_key='video,0',
        )


def _leaf(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data set inside wrappers."""
    while dataset.get('pipeline') is None and dataset.get('dataset') is not None:
        dataset = dataset['dataset']
    return dataset


def _samples(kind: str) -> bool:
    return 'Sample' in kind and kind.endswith('Frames')


def _offsets(sampler: Mapping[str, Any], name: str) -> list[int]:
    """The positions of a sampler's frames, relative to the middle of its window."""
    from mmengine.registry import TRANSFORMS

    built = TRANSFORMS.build({**sampler, 'test_mode': True})
    middle, every = 100_000, 1_000_000
    asked = dict(
        fps=1,
        timestamp=middle,
        timestamp_start=0,
        start_index=0,
        shot_info=(0, every),
        video_id='video',
    )
    try:
        taken = built(asked)['frame_inds']
    except KeyError as error:
        raise ValueError(
            f'{name}: {sampler["type"]} does not sample frames around a time '
            f'(it needs {error}): give the config of a spatio-temporal detector'
        ) from None
    return [int(place) - middle for place in np.ravel(taken)]


def _load(model: torch.nn.Module, checkpoint: str | Path, name: str) -> None:
    """Load all weights of the detector."""
    state = _read(checkpoint)
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    if any(key.startswith(DETECTOR) for key in state):
        state = extract_part(state, DETECTOR)
    own = model.state_dict()
    wrong = [
        key
        for key, value in own.items()
        if key not in state or state[key].shape != value.shape
    ]
    if wrong:
        raise ValueError(
            f'{checkpoint} does not fit the config {name}: {len(wrong)} of {len(own)} '
            f'weights of its detector are missing or have another shape, such as '
            f'{wrong[0]}'
        )
    model.load_state_dict({key: state[key] for key in own})


def _read(checkpoint: str | Path) -> Mapping[str, Tensor]:
    address = urlparse(str(checkpoint))
    if '://' not in str(checkpoint):
        return load_weights(checkpoint)
    if address.scheme == 'file':
        return load_weights(url2pathname(address.path))
    if address.scheme in ('http', 'https'):
        return load_weights(_downloaded(str(checkpoint)))
    from mmengine.runner.checkpoint import CheckpointLoader

    # mmengine falls back to unsafe loading when a checkpoint holds more than weights.
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    loaded = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    return loaded.get('state_dict', loaded)


def _downloaded(address: str) -> Path:
    """Download a checkpoint once, to the folder that mmengine and PyTorch use.

    mmengine's own loader is not used: it would read weights only and fail, because the
    published checkpoints of mmaction2 also contain mmengine's logs.
    """
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    file = folder / (Path(urlparse(address).path).name or 'checkpoint.pth')
    if not file.is_file():
        print_log(f'{address} is downloaded to {file}')
        folder.mkdir(parents=True, exist_ok=True)
        try:
            shown = sys.stderr.isatty()
            torch.hub.download_url_to_file(address, str(file), progress=shown)
        except OSError as error:
            raise ValueError(f'{address} cannot be downloaded: {error}') from None
    return file


def _numpy(values: Tensor) -> np.ndarray:
    return values.double().numpy()
