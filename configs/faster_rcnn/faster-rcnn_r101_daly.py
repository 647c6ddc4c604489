# The plain detector, trained and tested on raw frames.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/daly.py',
    '../_base_/schedules/adam_12e.py',
    'mmdet::_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')),
    roi_head=dict(bbox_head=dict(num_classes=10)),
)
