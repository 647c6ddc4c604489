# The same detector in the game: only the second line differs.
_base_ = [
    './slowonly_finetuned_mini.py',
    '../_base_/anonymizers/mini.py',
]
