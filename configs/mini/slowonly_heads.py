# The small SlowOnly on the original clips of the mini benchmark with whole heads of
# photographs.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini_heads.py',
    '../_base_/schedules/mini.py',
]
