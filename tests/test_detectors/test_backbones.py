"""The examples of docs/backbones.md, each built and trained for two steps."""

import ast
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS as DETECTOR_PARTS
from mmdet.structures import DetDataSample
from mmengine.config import Config, DictAction
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from tiny import made_up_batch, made_up_faces, tiny_discriminator, tiny_modifier

from mmanon.registry import MODELS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs' / 'backbones.md').read_text('utf-8')
BLOCKS = re.findall(r'```(python|bash)\n(.*?)```', PAGE, re.DOTALL)
CONFIGS = [text for _, text in BLOCKS if "_base_ = './" in text]
COMMANDS = [text for _, text in BLOCKS if '--cfg-options' in text]


def kind_of(text):
    """The backbone that a config of the page names."""
    kind = re.search(r"_delete_=True,\s+type='([\w.]+)'", text)
    name = re.search(r"name='(\w+)'", text)
    return (name or kind)[1]


def base_of(text):
    """The base's name as a path."""
    base = re.search(r"_base_ = '\./(.*?)'", text)[1]
    return next((ROOT / 'configs').rglob(base))


def from_block(text):
    base = base_of(text)
    text = text.replace(f"'./{base.name}'", repr(str(base)))
    return Config.fromstring(text, '.py')


def from_command(text):
    words = shlex.split(text.replace('\\\n', ' '))
    config = Config.fromfile(ROOT / words[2])
    place = words.index('--cfg-options') + 1
    options = dict(word.split('=', 1) for word in words[place:])
    config.merge_from_dict(
        {key: DictAction._parse_iterable(value) for key, value in options.items()}
    )
    return config


@pytest.fixture
def torchvision_backbone(tmp_path, monkeypatch):
    """The page's module, on the path under the name that its configs import."""
    text = next(text for _, text in BLOCKS if 'class TorchvisionBackbone' in text)
    ast.parse(text)
    (tmp_path / 'torchvision_backbone.py').write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop('torchvision_backbone', None)
    DETECTOR_PARTS._module_dict.pop('TorchvisionBackbone', None)


def without_downloads(node):
    if isinstance(node, dict):
        if node.get('init_cfg'):
            node['init_cfg'] = None
        if node.get('weights'):
            node['weights'] = None
        for value in node.values():
            without_downloads(value)


def images(count=2, size=64):
    generator = torch.Generator().manual_seed(0)
    samples = []
    for _ in range(count):
        sample = DetDataSample()
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[8.0, 4.0, 56.0, 60.0]]), labels=torch.tensor([1])
        )
        shape = dict(img_shape=(size, size), ori_shape=(size, size))
        sample.set_metainfo(
            dict(shape, scale_factor=(1.0, 1.0), faces=[[0, 20, 10, 36, 28]])
        )
        samples.append(sample)
    shape = (3, size, size)
    return dict(
        inputs=[
            torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            for _ in range(count)
        ],
        data_samples=samples,
    )


def weights(module):
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def check_that_all_learn(config):
    init_default_scope(config.get('default_scope', 'mmengine'))
    if 'custom_imports' in config:
        for name in config.custom_imports['imports']:
            __import__(name)
    without_downloads(config.model)
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmanon.AnonymizedDetector',
            detector=config.model,
            modifier=tiny_modifier(),
            discriminator=tiny_discriminator(),
            crop_size=32,
            margin=0.3,
        )
    )
    model.train()
    wrappers = OptimWrapperDict(
        **{
            name: OptimWrapper(
                torch.optim.SGD(getattr(model, name).parameters(), lr=0.01)
            )
            for name in ('detector', 'modifier', 'discriminator')
        }
    )
    parts = dict(
        backbone=model.detector.backbone,
        modifier=model.modifier,
        discriminator=model.discriminator,
    )
    before = {name: weights(part) for name, part in parts.items()}
    clips = config.model.type == 'FastRCNN'
    num_classes = config.model.roi_head.bbox_head.num_classes
    # A near-identity start has a last layer of zeros: the second step moves the rest.
    for _ in range(2):
        batch = made_up_batch(clips=1, frames=8) if clips else images()
        if clips:
            for sample in batch['data_samples']:
                sample.gt_instances.labels = torch.eye(num_classes)[1:2]
        losses = model.train_step({**batch, 'faces': [made_up_faces()]}, wrappers)
    assert losses['loss'].isfinite()
    for name, part in parts.items():
        assert not torch.equal(weights(part), before[name]), name


@pytest.mark.parametrize('text', CONFIGS, ids=map(kind_of, CONFIGS))
def test_an_example_of_the_page_learns(text, torchvision_backbone):
    check_that_all_learn(from_block(text))


@pytest.mark.parametrize('text', COMMANDS, ids=['ResNet3d-101', 'ResNet-50'])
def test_a_command_of_the_page_changes_the_depth(text):
    config = from_command(text)
    plain = Config.fromfile(ROOT / shlex.split(text.replace('\\\n', ' '))[2])
    assert config.model.backbone.depth != plain.model.backbone.depth
    assert str(config.model.backbone.depth) in str(
        config.model.backbone.get('init_cfg') or config.model.init_cfg
    )
    check_that_all_learn(config)


def test_the_page_shows_clips_and_frames():
    kinds = {kind_of(text) for text in CONFIGS}
    assert kinds >= {
        'ResNet2Plus1d',
        'mmaction.X3D',
        'mmaction.MViT',
        'mmaction.SwinTransformer3D',
        'mmaction.UniFormer',
        'SwinTransformer',
        'efficientnet_b0',
        'r2plus1d_18',
    }
