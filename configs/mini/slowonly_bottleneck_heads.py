# The detector of slowonly_heads.py is trained further in the game, with a bottleneck
# modifier and several discriminators.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini_heads.py',
    '../_base_/schedules/mini_finetuned.py',
    '../_base_/anonymizers/mini_bottleneck.py',
]

load_from = 'work_dirs/mini_heads/plain/epoch_7.pth'
