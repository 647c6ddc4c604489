"""A small modifier in a folder, called by a name as those of the package are."""

from pathlib import Path

import torch

from mmanon.anonymizer.backends.onnx_modifier import export_modifier
from mmanon.models.modifiers import BottleneckModifier
from mmanon.models.weight_files import save_weights, tell_card
from mmanon.structures.crop_geometry import CropGeometry
from mmanon.structures.modifier_card import ModifierCard

NAME = 'stranger'
CONFIG = dict(
    type='mmanon.BottleneckModifier',
    size=24,
    code_size=3,
    look_size=2,
    base_channels=8,
    margin=0.5,
)
GEOMETRY = CropGeometry(24, 0.5, 0.1)


def write_named(folder: Path, name: str = NAME) -> BottleneckModifier:
    """Write ``name.onnx`` and ``name.pth`` of one with weights by chance."""
    torch.manual_seed(0)
    modifier = BottleneckModifier(
        **{key: value for key, value in CONFIG.items() if key != 'type'}
    )
    for parameter in modifier.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    # Draws over nearly all of a crop.
    torch.nn.init.constant_(modifier.share.last.bias, 5)
    modifier.record_update()
    card = ModifierCard(CONFIG, GEOMETRY, trained_on='nothing')
    export_modifier(modifier.eval(), card, folder / f'{name}.onnx')
    meta: dict = {}
    tell_card(meta, card)
    save_weights(folder / f'{name}.pth', modifier.state_dict(), **meta)
    return modifier
