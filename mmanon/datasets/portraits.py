"""Portraits with their landmarks, from which heads are learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log

from mmanon.registry import DATASETS, MODELS

from .face_identities import FaceDraw, FaceIdentityDataset
from .mini_benchmark.held_things import draw_held_thing
from .preparation.person_masks import person_opacity

__all__ = ['PortraitDataset']


@DATASETS.register_module()
class PortraitDataset(FaceIdentityDataset):
    """Portraits of people, one folder a person, with five landmarks of each face.

    Portraits are crops of a head already, the face box enlarged by ``margin``. Those in
    which no face is found are left out. An item is a dict of

    - ``image``: uint8 (3, P, P);
    - ``landmarks``: float32 (5, 2), fractions of the side; left ones as in the image
      come first;
    - ``opacity``: uint8 (1, P, P), 255 at the person, from
      :func:`~mmanon.datasets.preparation.person_masks.person_opacity`;
    - ``label``: the person's index;
    - ``thing``, with ``things``: an object of the mini benchmark, uint8 (4, 128, 128):
      red, green, blue and opacity.

    Args:
        data_root (str or Path): See :class:`FaceIdentityDataset`.
        landmark_detector (dict): Face detector that finds landmarks, such as
            ``dict(type='mmanon.MTCNNFaceDetector')``.
        crop_size (int): P. Defaults to 256.
        margin (float): By how much of its side the face box is enlarged on each side.
            Defaults to 0.5.
        things (int): How many things there are to hold before faces. Defaults to 0.
        **kwargs: ``identities``, ``skip`` and others of :class:`FaceIdentityDataset`.

    Raises:
        ValueError: When no face is found in any portrait.
    """

    def __init__(
        self,
        data_root: str | Path,
        landmark_detector: dict,
        crop_size: int = 256,
        margin: float = 0.5,
        things: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_root, crop_size=crop_size, margin=margin, **kwargs)
        detector = MODELS.build(landmark_detector)
        middle = crop_size / 2
        self._landmarks: list[np.ndarray] = []
        self._opacities: list[np.ndarray] = []
        self._found: list[int] = []
        for index in range(len(self.paths)):
            image = np.ascontiguousarray(super().pixels(index)[0].permute(1, 2, 0))
            faces = detector.detect(image)
            if not len(faces):
                continue
            centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
            nearest = int(np.abs(centres - middle).sum(1).argmin())
            self._found.append(index)
            # A pixel's index is half a pixel before its middle.
            places = (faces.landmarks[nearest] + 0.5) / crop_size
            self._landmarks.append(places)
            self._opacities.append(person_opacity(image, places))
        if not self._found:
            raise ValueError(f'no face is found in any portrait of {data_root}')
        rng = np.random.default_rng(0)
        self._things = [draw_held_thing(rng) for _ in range(things)]
        missing = len(self.paths) - len(self._found)
        if missing:
            print_log(f'{missing} portraits without a face left out', 'current')

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, draw: int | FaceDraw) -> dict:
        """A portrait, and a thing drawn at random."""
        place = draw.index if isinstance(draw, FaceDraw) else draw
        image, label = self.pixels(self._found[place])
        landmarks = torch.from_numpy(self._landmarks[place].astype(np.float32))
        opacity = torch.from_numpy(self._opacities[place])[None]
        item = dict(image=image, landmarks=landmarks, opacity=opacity, label=label)
        if self._things:
            chosen = int(torch.randint(len(self._things), ()))
            item['thing'] = torch.from_numpy(self._things[chosen]).permute(2, 0, 1)
        return item
