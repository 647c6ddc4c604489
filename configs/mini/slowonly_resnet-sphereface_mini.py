# The same detector, seen through a modifier: the second line is all that differs.
_base_ = [
    './slowonly_mini.py',
    '../_base_/anonymizers/mini.py',
]
