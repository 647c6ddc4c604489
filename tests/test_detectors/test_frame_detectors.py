"""Detectors of single frames, from mmdet's own configs, in the game."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmanon.registry import METRICS
from mmanon.testing import STAGES, DetectorCheck, read_config

CONFIGS = Path(__file__).parents[2] / 'configs'
ANONYMIZER = CONFIGS / '_base_/anonymizers/resnet9_sphereface20.py'
DETECTORS = [
    'mmdet::faster_rcnn/faster-rcnn_r101_fpn_1x_coco.py',
    'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'mmdet::detr/detr_r50_8xb2-150e_coco.py',
    'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
    'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    str(CONFIGS / 'faster_rcnn/faster-rcnn_r101_jhmdb.py'),
]


def stem(name):
    return Path(name).stem


def without_scope(value):
    """mmengine notes in each dict of a foreign base which package it came from."""
    if isinstance(value, dict):
        return {k: without_scope(v) for k, v in value.items() if k != '_scope_'}
    if isinstance(value, (list, tuple)):
        return [without_scope(one) for one in value]
    return value


def prepared(name):
    """A detector's config that :class:`DetectorCheck` can make small enough."""
    config = read_config(name)
    kind = config.model.type
    if config.model.backbone.get('depth') == 101:
        # Depth changes nothing that is asked here.
        config.model.backbone.depth = 50
    if kind == 'DINO':
        # Its head's width is mmdet's default, which is not made narrower otherwise, and
        # small images have fewer places than it asks for.
        config.model.bbox_head.embed_dims = 256
        config.model.num_queries = 300
    if kind == 'RTMDet':
        # SyncBN asks for a GPU. The hooks are tested in test_hooks_of_detectors.py.
        for part in ('backbone', 'neck', 'bbox_head'):
            config.model[part].norm_cfg = dict(type='BN')
        config.pop('custom_hooks')
    if isinstance(config.test_evaluator, list):
        config.test_evaluator = config.test_evaluator[0]
    return config


@pytest.mark.parametrize('name', DETECTORS, ids=stem)
def test_a_frame_detector_trains_and_predicts_in_the_game(name, tmp_path):
    path = tmp_path / f'{stem(name)}.py'
    prepared(name).dump(path)
    with DetectorCheck(str(path), ANONYMIZER, tmp_path) as check:
        for stage in STAGES:
            check.run(stage)


@pytest.mark.parametrize('name', ['retinanet', 'fcos', 'dino', 'rtmdet'])
def test_a_config_is_mmdets_with_the_hook_added(name):
    (path,) = (CONFIGS / name).glob('*.py')
    config = Config.fromfile(path)
    base = path.read_text().split("'mmdet::")[1].split("'")[0]
    theirs = read_config(f'mmdet::{base}')

    for key in set(theirs) - {'custom_hooks', 'load_from'}:
        assert without_scope(config[key]) == without_scope(theirs[key]), key
    assert set(config) - set(theirs) <= {'custom_hooks', 'custom_imports'}
    assert any('modifier' in hook for hook in config.custom_hooks)
    assert config.load_from.startswith('https://')


@pytest.mark.parametrize('data, classes', [('jhmdb', 21), ('daly', 10)])
def test_the_papers_settings(data, classes):
    """What DESIGN knows of the paper: detector, Adam's rates, epochs, metric."""
    config = Config.fromfile(
        CONFIGS / f'faster_rcnn/faster-rcnn_r101_resnet9-sphereface20_{data}.py'
    )
    later = Config.fromfile(
        CONFIGS / f'faster_rcnn/faster-rcnn_r101_resnet9-finetuned_{data}.py'
    )
    game = config.custom_hooks[0]

    assert (config.model.type, config.model.backbone.depth) == ('FasterRCNN', 101)
    assert config.model.roi_head.bbox_head.num_classes == classes
    assert len(config.train_dataloader.dataset.metainfo.classes) == classes
    for optimizer, rate in (
        (config.optim_wrapper.optimizer, 1e-3),
        (game.optim_wrapper.modifier.optimizer, 3e-4),
        (game.optim_wrapper.discriminator.optimizer, 3e-4),
    ):
        assert (optimizer.type, optimizer.lr) == ('Adam', rate)
        assert tuple(optimizer.betas) == (0.5, 0.999)
    assert config.train_cfg.max_epochs == 12
    assert config.val_evaluator.type == 'mmanon.FrameMAPMetric'
    # Afterwards M stays as it is: without D, it has nobody to learn from.
    (frozen,) = later.custom_hooks
    assert frozen.get('discriminator') is None
    assert frozen.modifier == game.modifier
    assert later.load_from.endswith(f'sphereface20_{data}/epoch_12.pth')


def test_jhmdbs_video_map_reads_what_the_converter_writes(tmp_path):
    config = Config.fromfile(CONFIGS / 'faster_rcnn/faster-rcnn_r101_jhmdb.py')
    classes = list(config.train_dataloader.dataset.metainfo.classes)
    tube = dict(label='wave', start_frame=0, end_frame=2, boxes=[[10, 4, 70, 60]] * 2)
    clip = dict(annotation_width=80, annotation_height=64, tubes=[tube])
    tubes = tmp_path / 'tubes.json'
    tubes.write_text(json.dumps(dict(classes=classes, clips=dict(v=clip))))
    init_default_scope('mmdet')

    metric = METRICS.build(dict(config.test_evaluator[1], ann_file=str(tubes)))
    metric.dataset_meta = dict(classes=classes)
    boxes = np.array([[10.0, 4, 70, 60]])
    for frame in (1, 2):
        found = dict(bboxes=boxes, scores=np.ones(1), labels=np.array([20]))
        path = f'data/jhmdb/rawframes/v/img_{frame:05}.png'
        sample = dict(img_path=path, ori_shape=(64, 80), pred_instances=found)
        metric.process({}, [sample])

    assert metric.evaluate(2)['video/mAP@0.5'] == 1
