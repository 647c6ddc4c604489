# The plain detector of slowonly_heads.py is trained further for as many iterations as
# the game. An anonymized detector with the same number of iterations is compared with
# it.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini_heads.py',
    '../_base_/schedules/mini_finetuned.py',
]

load_from = 'work_dirs/mini_heads/plain/epoch_7.pth'
