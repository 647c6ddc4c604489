# The plain detector is trained further, on original clips.
_base_ = [
    '../_base_/models/slowfast_small.py',
    '../_base_/datasets/mini_4frames.py',
    '../_base_/schedules/mini_finetuned.py',
]

load_from = 'work_dirs/mini/slowfast_plain/epoch_7.pth'
