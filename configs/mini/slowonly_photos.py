# The small SlowOnly on the mini benchmark with photographs of people, as they are.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini_photos.py',
    '../_base_/schedules/mini.py',
]
