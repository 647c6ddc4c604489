"""Modifiers as ONNX files, which ONNX Runtime runs without PyTorch."""

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
"""The largest allowed difference between outputs of ONNX Runtime and PyTorch, on the
scale [-1, 1]; a step of 8-bit pixels is 8e-3."""

_KEY = 'mmanon_modifier'
_OPSET = 17
_FEW = 64  # smaller arrays are not worth storing as float16


def export_modifier(
    modifier: BaseModifier, card: ModifierCard | CropGeometry, path: Path
) -> float:
    """Write a modifier as an ONNX file.

    The file contains the guard against nearly unchanged faces, and the modifier's card.
    Its output is compared with that of the modifier before it gets its final name.

    Args:
        modifier (BaseModifier): M; a learned one must be trained.
        card (ModifierCard or CropGeometry): Its card, or only the geometry of its
            crops.
        path (Path): The file; its folder is created.

    Returns:
        float: The largest difference between both outputs for crops of noise, on the
        scale [-1, 1].

    Raises:
        ValueError: When M is untrained, draws random noise, cannot be exported to ONNX,
            or ONNX Runtime draws something else.
        ImportError: When `onnx` or `onnxruntime` is not installed.
    """
    import onnx

    import_onnxruntime()  # if it is missing, fail before the work
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
            f'{name} has no trained weights and could only draw solid masks: give its '
            'weights'
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
        # Its randomness comes from keys, which are a second input of the file.
        seen = TrackKeys(modifier.key_size, seed=0)(faces.numpy(), range(len(faces)))
        given.append(torch.from_numpy(seen))
    names = ['faces', 'keys'][: len(given)]
    drawing = Drawing().eval()
    with torch.no_grad():
        expected = drawing(*given)[0]
        if not torch.equal(expected, drawing(*given)[0]):
            raise ValueError(
                f'{name} draws noise, which would differ in each frame of a face: only '
                'PyTorch keeps it the same'
            )
    with written_whole(path) as beside, warnings.catch_warnings():
        # It warns that the side of the crops becomes a constant, which is right. The
        # comparison below shows that the number of faces stays variable.
        warnings.simplefilter('ignore')
        # ONNX has this operator, but the exporter does not know it.
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
                # The new exporter does not know padding by reflection (PyTorch 2.8).
                dynamo=False,
            )
        # The exporter raises many kinds of errors.
        except Exception as error:
            raise ValueError(
                f'{name} cannot be exported to ONNX: {str(error).splitlines()[0]}'
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
    """Store weights as float16 if that represents them exactly.

    A file of weights that were rounded to float16 is half as large and runs as fast:
    ONNX Runtime converts them back to float32 when it loads the file.
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
    """Options for a session that shares the processor with other work."""
    options = import_onnxruntime().SessionOptions()
    # Its threads would wait for the next faces in a busy loop, and take half of the
    # time of two cores from the search and the encoder.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


@renamed_attributes(draw='modify')
class OnnxModifier:
    """Runs a file of :func:`export_modifier` with ONNX Runtime.

    A modifier that takes keys gets the key of each face's track; see
    :class:`.track_keys.TrackKeys`.

    Args:
        path (str or Path): The ONNX file.
        seed (int, optional): Makes keys repeatable. Defaults to a secret one.
        device (str): Where it runs: ``'cpu'``, or a GPU such as ``'cuda:0'`` if ONNX
            Runtime can use it.

    Attributes:
        card (ModifierCard): The card in the file.
        geometry (CropGeometry): The geometry of its crops.
        place (Place): Where it actually runs.
        frames_at_once (int): As for :class:`.base.ModifierBackend`.
        learned (bool): Whether it is a learned modifier; ``True`` for older files,
            which do not say it.

    Raises:
        FileNotFoundError: When the file does not exist.
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
                f'{path} needs ONNX Runtime: pip install onnxruntime'
            ) from error
        if not Path(path).is_file():
            raise FileNotFoundError(f'modifier {path} does not exist')
        try:
            self._session, self.place = open_session(
                Path(path).read_bytes(), device, _options()
            )
        # ONNX Runtime's errors have no common class.
        except Exception as error:
            raise ValueError(
                f'{path} cannot be read as an ONNX file: {str(error).splitlines()[0]}'
            ) from error
        said = self._session.get_modelmeta().custom_metadata_map.get(_KEY)
        if said is None:
            raise ValueError(
                f'{path} is not a modifier: make one with tools/export_onnx.py'
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
