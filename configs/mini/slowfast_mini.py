# A small SlowFast on the original clips of the mini benchmark.
_base_ = [
    '../_base_/models/slowfast_small.py',
    '../_base_/datasets/mini_4frames.py',
    '../_base_/schedules/mini.py',
]
