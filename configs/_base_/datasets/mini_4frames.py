# The mini benchmark in clips of four of its eight frames instead of two, which the fast
# path of a SlowFast needs.
_base_ = './mini.py'

_base_.train_dataloader.dataset.pipeline[0].update(clip_len=4, frame_interval=2)
_base_.val_dataloader.dataset.pipeline[0].update(clip_len=4, frame_interval=2)
test_dataloader = _base_.val_dataloader
