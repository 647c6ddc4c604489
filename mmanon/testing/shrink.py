"""Make a detector small enough for a CPU without changing its structure."""

import torch
from mmengine.config import Config

FACTOR = 4

# Keys for the width of a network in the configs of mmaction2 and mmdet.
_WIDTHS = {
    'base_channels',
    'channels',
    'conv_out_channels',
    'embed_dims',
    'fc_out_channels',
    'feat_channels',
    'feedforward_channels',
    'in_channels',
    'latent_channels',
    'lfb_channels',
    'lt_feat_channels',
    'num_feats',
    'num_groups',
    'num_heads',
    'out_channels',
    'st_feat_channels',
    'widen_factor',
}
# Keys for the size of frames in transforms.
_SIDES = {'crop_size', 'img_scale', 'scale', 'scale_range', 'scales', 'size'}
# The default of ResNets and SphereFace.
_BASE_CHANNELS = 64


def shrink(config: Config) -> None:
    """Divide all widths of the model and all sides of the frames by four, in place.

    Depth, clip length, heads, losses and everything else stay the same. Settings that
    need a GPU, a network connection or downloads are replaced: without a GPU, feature
    banks are on the CPU, files are read from disk, and weights start at random. No
    block is skipped at random, so that all blocks get a gradient in one iteration.
    Batches have two clips in training and one otherwise.

    Args:
        config (Config): Config of a detector of mmaction2 or mmdet.
    """
    shrink_widths(config.model)
    config.model.init_cfg = None
    for stage in ('train', 'val', 'test'):
        loader = config.get(f'{stage}_dataloader')
        if loader is None:
            continue
        loader.update(num_workers=0, persistent_workers=False)
        loader.batch_size = 2 if stage == 'train' else 1
        loader.pop('prefetch_factor', None)
        _shrink_frames(loader.dataset)


def shrink_widths(node: object) -> None:
    """Divide the widths in a network's config by four, in place."""
    if isinstance(node, dict):
        kind = str(node.get('type', '')).lower()
        if 'depth' in node and ('resnet' in kind or 'sphereface' in kind):
            node.setdefault('base_channels', _BASE_CHANNELS)
        for key, value in node.items():
            if key in _WIDTHS:
                node[key] = _divided(value)
            elif key == 'drop_path_rate':
                node[key] = 0.0
            elif key == 'init_cfg' and _downloads(value):
                node[key] = None
            elif key == 'device' and value == 'gpu' and not torch.cuda.is_available():
                node[key] = 'cpu'
            else:
                shrink_widths(value)
    elif isinstance(node, list | tuple):
        for one in node:
            shrink_widths(one)


def _shrink_frames(node: object) -> None:
    if isinstance(node, dict):
        if node.get('io_backend', 'disk') != 'disk':
            node['io_backend'] = 'disk'
            node.pop('path_mapping', None)
        for key, value in node.items():
            if key in _SIDES:
                node[key] = _divided(value)
            else:
                _shrink_frames(value)
    elif isinstance(node, list | tuple):
        for one in node:
            _shrink_frames(one)


def _divided(value: object) -> object:
    """Divide a number, or the numbers in lists, by the factor.

    Integers that it does not divide stay the same.
    """
    if isinstance(value, list | tuple):
        return type(value)(_divided(one) for one in value)
    if isinstance(value, float):
        return value / FACTOR
    if isinstance(value, int) and value >= FACTOR and value % FACTOR == 0:
        return value // FACTOR
    return value


def _downloads(init_cfg: object) -> bool:
    return isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'
