# The detector of slowonly_photos.py is trained further in the game.
_base_ = [
    '../_base_/models/slowonly_small.py',
    '../_base_/datasets/mini_photos.py',
    '../_base_/schedules/mini_finetuned.py',
    '../_base_/anonymizers/mini_photos.py',
]

load_from = 'work_dirs/mini_photos/plain/epoch_7.pth'
