# The same, seen through a modifier: the second line is all that differs.
_base_ = [
    './faster-rcnn_finetuned_mini.py',
    '../_base_/anonymizers/mini.py',
]
