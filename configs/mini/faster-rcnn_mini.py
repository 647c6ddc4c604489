# A small Faster R-CNN on the original keyframes of the mini benchmark.
_base_ = [
    '../_base_/models/faster-rcnn_small.py',
    '../_base_/datasets/mini_frames.py',
    '../_base_/schedules/mini.py',
]

default_scope = 'mmdet'
visualizer = dict(type='DetLocalVisualizer')
