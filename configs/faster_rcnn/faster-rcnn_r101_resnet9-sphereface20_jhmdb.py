# The game of the paper.
_base_ = [
    './faster-rcnn_r101_jhmdb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]
