# The same detector in the game with a bottleneck modifier, which `make demo` trains.
_base_ = [
    './slowonly_finetuned_mini.py',
    '../_base_/anonymizers/mini_cover.py',
]
