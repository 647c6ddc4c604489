# The plain detector is trained further, on original frames.
_base_ = [
    '../_base_/models/faster-rcnn_small.py',
    '../_base_/datasets/mini_frames.py',
    '../_base_/schedules/mini_finetuned.py',
]

default_scope = 'mmdet'
visualizer = dict(type='DetLocalVisualizer')
load_from = 'work_dirs/mini/faster-rcnn_plain/epoch_7.pth'
