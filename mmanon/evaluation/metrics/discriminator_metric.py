"""How many faces the discriminator of the game still names."""

import logging
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmanon.models.modifiers import BottleneckModifier
from mmanon.registry import METRICS

from .face_metric import FaceMetric, key_of
from .face_pass import FacePass

__all__ = ['DiscriminatorMetric']


@METRICS.register_module()
class DiscriminatorMetric(FaceMetric):
    """How many faces the game's D names, before and after the modification.

    The :class:`AdversarialAnonymizationHook` adds it for its ``val_faces``, images of
    the people whom D learns to classify. It reports

    - ``acc_original`` and ``acc_modified``: the share of faces that D classifies
      correctly; left out with a warning if D has not learned;
    - ``pixel_change``: the mean absolute change on the scale of [-1, 1];
    - ``covered``: the share of faces that a learned modifier would leave nearly
      unchanged;
    - ``rate`` and ``share`` of a :class:`BottleneckModifier`: the information that its
      code holds about a face, in nats, and the redrawn share of the crop;
    - ``num_identities``: the number of people.

    Args:
        dataset (dict): A data set of the people whom D classifies; see
            :class:`FaceMetric`.
        batch_size (int): Number of faces in a batch. Defaults to 64.
        **kwargs: See :class:`FaceMetric`.

    Raises:
        ValueError: If the model has no discriminator, or one for another number of
            people.
    """

    default_prefix = 'faces'

    def __init__(self, dataset: dict, batch_size: int = 64, **kwargs: Any) -> None:
        super().__init__(dataset, batch_size=batch_size, **kwargs)
        self._watcher: _NamingWatcher | None = None

    def join(self, faces: FacePass) -> None:
        """Show the faces to D."""
        discriminator = faces.model.discriminator
        people = len(faces.dataset.metainfo['classes'])
        if discriminator is None or discriminator.num_classes != people:
            named = 'none' if discriminator is None else discriminator.num_classes
            raise ValueError(
                f'{type(self).__name__} needs a discriminator of the {people} people '
                f'of {faces.dataset.data_root}, but it names {named}: give the people '
                'of its training'
            )
        if not discriminator.names_people:
            print_log(
                f'{self.prefix}: {type(discriminator).__name__} has not learned to '
                'name anybody yet; acc_original and acc_modified are left out',
                logger='current',
                level=logging.WARNING,
            )
        self._watcher = faces.add_watcher(
            key_of(['discriminator', id(discriminator)]),
            lambda: _NamingWatcher(
                discriminator, getattr(faces.model, 'deployed_modifier', None)
            ),
        )

    def figures(self, faces: FacePass) -> dict[str, float]:
        """Return the shares of faces, and their mean change."""
        watcher, self._watcher = self._watcher, None
        assert watcher is not None  # joined before
        labels = torch.as_tensor(faces.dataset.labels)
        found: dict[str, float] = {}
        if faces.model.discriminator.names_people:
            for kind, named in watcher.named.items():
                hits = torch.cat(named) == labels
                found[f'acc_{kind}'] = float(hits.float().mean())
        found['pixel_change'] = float(torch.cat(watcher.changes).mean())
        for name, values in watcher.told.items():
            found[name] = float(torch.cat(values).mean())
        found['covered'] = faces.covered / len(labels)
        found['num_identities'] = len(faces.dataset.metainfo['classes'])
        return found


class _NamingWatcher:
    def __init__(self, discriminator: Any, modifier: Any) -> None:
        self.discriminator = discriminator
        self.modifier = modifier if isinstance(modifier, BottleneckModifier) else None
        self.told: dict[str, list[Tensor]] = {}
        self.named: dict[str, list[Tensor]] = dict(original=[], modified=[])
        self.changes: list[Tensor] = []

    def watch(self, original: Tensor, modified: Tensor) -> None:
        for kind, faces in (('original', original), ('modified', modified)):
            logits = self.discriminator(faces, mode='logits')
            self.named[kind].append(logits.argmax(1).cpu())
        if self.modifier is not None:
            share = self.modifier.covers(original).mean((1, 2, 3))
            for name, value in (
                ('rate', self.modifier.rate(original)),
                ('share', share),
            ):
                self.told.setdefault(name, []).append(value.float().cpu())
        self.changes.append((modified - original).abs().mean((1, 2, 3)).float().cpu())
