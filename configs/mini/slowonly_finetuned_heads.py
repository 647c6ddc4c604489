# The plain detector of slowonly_heads.py goes on for as long as the game takes: what an
# anonymized detector of the same budget is compared with.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini_heads.py',
    '../_base_/schedules/mini_finetuned.py',
]

load_from = 'work_dirs/mini_heads/plain/epoch_7.pth'
