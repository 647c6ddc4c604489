# The small SlowOnly on the original clips of the mini benchmark: a plain mmaction2
# detector, trained and tested on raw frames.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini.py',
    '../_base_/schedules/mini.py',
]
