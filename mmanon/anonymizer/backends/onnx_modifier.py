"""Modifiers as ONNX files, drawn by ONNX Runtime without PyTorch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import ModifierCard
from mmanon.utils.atomic_write import written_whole
from mmanon.utils.deprecation import renamed_attributes
from mmanon.utils.onnx_runtime import import_onnxruntime, open_session

from .base import FRAMES_AT_ONCE, parts_of
from .track_keys import TrackKeys

if TYPE_CHECKING:
    from mmanon.models.modifiers import BaseModifier

__all__ = ['TOLERANCE', 'OnnxModifier', 'export_modifier']

TOLERANCE = 1e-3
"""By how much what ONNX Runtime draws may differ from what PyTorch draws, on the scale
[-1, 1]; a step of 8-bit pixels is 8e-3."""

_KEY = 'mmanon_modifier'
_OPSET = 17
_FEW = 64  # numbers that are not worth to be stored as halves


def export_modifier(
    modifier: BaseModifier, card: ModifierCard | CropGeometry, path: Path
) -> float:
    """Write a modifier as an ONNX file.

    The file contains the guard against nearly unchanged faces, and the modifier's card.
    It is compared with the modifier before it gets its name.

    Args:
        modifier (BaseModifier): M, trained if it is a learned one.
        card (ModifierCard or CropGeometry): What is known of it, or only what it is
            shown.
        path (Path): The file; its folder is made.

    Returns:
        float: The largest difference, on the scale [-1, 1], between what both draw of
        faces of noise.

    Raises:
        ValueError: When M is untrained, draws noise, cannot be exported to ONNX, or
            ONNX Runtime draws something else.
        ImportError: When `onnx` or `onnxruntime` is not installed.
    """
    import onnx

    import_onnxruntime()  # better missed before the work than after
    import torch
    from torch import nn

    from mmanon.models.modifiers import LearnedModifier
    from mmanon.models.modifiers.covering import redraw_or_cover

    if isinstance(card, CropGeometry):
        card = ModifierCard({}, card)
    geometry = card.geometry
    name = type(modifier).__name__
    if modifier.is_untrained:
        raise ValueError(
            f'{name} has no trained weights: all it could do is to mask faces; name '
            'its weights'
        )
    modifier = modifier.cpu().eval()

    class Drawing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.modifier = modifier

        def forward(
            self, faces: torch.Tensor, keys: torch.Tensor | None = None
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return redraw_or_cover(self.modifier, faces, geometry.margin, keys)

    size = geometry.crop_size
    generator = torch.Generator().manual_seed(0)
    faces = torch.rand(3, 3, size, size, generator=generator) * 2 - 1
    faces = nn.functional.avg_pool2d(faces, 5, 1, 2)
    given = [faces]
    if modifier.key_size:
        # It draws nothing at random but by its keys, which the file takes as well.
        seen = TrackKeys(modifier.key_size, seed=0)(faces.numpy(), range(len(faces)))
        given.append(torch.from_numpy(seen))
    names = ['faces', 'keys'][: len(given)]
    drawing = Drawing().eval()
    with torch.no_grad():
        expected = drawing(*given)[0]
        if not torch.equal(expected, drawing(*given)[0]):
            raise ValueError(
                f'{name} draws noise, which would be another in each frame of a face: '
                'only PyTorch keeps it the same'
            )
    with written_whole(path) as beside, warnings.catch_warnings():
        # It warns that sides of crops become constants, which they are; that the number
        # of faces does not is seen by the comparison below.
        warnings.simplefilter('ignore')
        # In ONNX from the beginning; the exporter does not know it.
        torch.onnx.register_custom_op_symbolic(
            'aten::atanh', lambda graph, value: graph.op('Atanh', value), _OPSET
        )
        try:
            torch.onnx.export(
                drawing,
                tuple(value[:2] for value in given),
                str(beside),
                input_names=names,
                output_names=['drawn', 'covered'],
                dynamic_axes={
                    name: {0: 'faces'} for name in (*names, 'drawn', 'covered')
                },
                opset_version=_OPSET,
                # The other exporter does not know padding by reflection (PyTorch 2.8).
                dynamo=False,
            )
        # The exporter has its own errors, and those of what it cannot trace.
        except Exception as error:
            raise ValueError(
                f'{name} cannot be told in ONNX: {str(error).splitlines()[0]}'
            ) from error
        model = onnx.load(str(beside))
        _store_halves(model)
        entry = model.metadata_props.add()
        said = dict(card.to_dict(), learned=isinstance(modifier, LearnedModifier))
        entry.key, entry.value = _KEY, json.dumps(said)
        onnx.save(model, str(beside))
        written = OnnxModifier(beside, seed=0)
        drawn, _ = written.modify(faces.numpy(), range(len(faces)))
        difference = float(np.abs(drawn - expected.numpy()).max())
        if not difference <= TOLERANCE:
            raise ValueError(
                f'ONNX Runtime draws {name} differently, by up to {difference:.2g}'
            )
    return difference


def _store_halves(model: Any) -> None:
    """Store weights as float16 where that holds them exactly; they are read as before.

    A file of weights that were rounded so is half as large, and draws as fast: ONNX
    Runtime turns them back when it reads it.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weights in model.graph.initializer:
        if weights.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weights)
        with np.errstate(over='ignore'):
            halves = values.astype(np.float16)
        if values.size < _FEW or not np.array_equal(halves, values):
            continue
        name = weights.name
        weights.CopyFrom(numpy_helper.from_array(halves, f'{name}.half'))
        casts.append(
            helper.make_node('Cast', [weights.name], [name], to=TensorProto.FLOAT)
        )
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def _options() -> Any:
    """Options of ONNX Runtime for a session that draws between other work."""
    options = import_onnxruntime().SessionOptions()
    # Its threads wait for the next faces by turning in circles, on processors that the
    # search and the encoder could use: half of all the time of two cores.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


@renamed_attributes(draw='modify')
class OnnxModifier:
    """Lets ONNX Runtime draw what :func:`export_modifier` has written.

    A modifier that takes keys gets the key of each face's track; see
    :class:`.track_keys.TrackKeys`.

    Args:
        path (str or Path): The ONNX file.
        seed (int, optional): Makes keys repeatable. Defaults to a secret one.
        device (str): Where it runs: ``'cpu'``, or a GPU such as ``'cuda:0'`` where
            ONNX Runtime can use it.

    Attributes:
        card (ModifierCard): The card in the file.
        geometry (CropGeometry): The geometry of its crops.
        place (Place): Where it runs.
        frames_at_once (int): As of :attr:`.base.ModifierBackend.frames_at_once`.
        learned (bool): Whether it is a learned modifier; ``True`` for older files,
            which do not say.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is another kind of file.
        ImportError: When the package `onnxruntime` is not installed.
    """

    def __init__(
        self, path: str | Path, seed: int | None = None, device: str = 'cpu'
    ) -> None:
        try:
            import_onnxruntime()
        except ImportError as error:
            raise ImportError(
                f'{path} is drawn by ONNX Runtime: pip install onnxruntime'
            ) from error
        if not Path(path).is_file():
            raise FileNotFoundError(f'modifier {path} does not exist')
        try:
            self._session, self.place = open_session(
                Path(path).read_bytes(), device, _options()
            )
        # ONNX Runtime has a class of its own for each thing that may be wrong.
        except Exception as error:
            raise ValueError(
                f'{path} is no ONNX file: {str(error).splitlines()[0]}'
            ) from error
        said = self._session.get_modelmeta().custom_metadata_map.get(_KEY)
        if said is None:
            raise ValueError(
                f'{path} is not a modifier: make it by tools/export_onnx.py'
            )
        try:
            told = json.loads(said)
            self.card = ModifierCard.from_dict(told)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        self.geometry = self.card.geometry
        self.learned = bool(told.get('learned', True))
        sizes = {one.name: one.shape for one in self._session.get_inputs()}
        self._keys = TrackKeys(sizes['keys'][1], seed) if 'keys' in sizes else None
        self.frames_at_once = 1 if self.place.device == 'cpu' else FRAMES_AT_ONCE

    def modify(
        self, faces: np.ndarray, tracks: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Modify faces; see :class:`.base.ModifierBackend`."""
        given = {'faces': faces}
        if self._keys is not None:
            given['keys'] = self._keys(faces, tracks)
        if self.place.device == 'cpu':
            drawn, masked = self._session.run(None, given)
            return drawn, masked
        answers = [
            self._session.run(None, {name: one[part] for name, one in given.items()})
            for part in parts_of(len(faces))
        ]
        drawn, masked = (np.concatenate(one) for one in zip(*answers, strict=True))
        return drawn, masked
