# The small SlowOnly on the mini benchmark with whole heads of photographs, as they are.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini_heads.py',
    '../_base_/schedules/mini.py',
]
