# The mini benchmark in clips of four of its eight frames, not two: what a SlowFast's
# fast path asks for.
_base_ = './mini.py'

_base_.train_dataloader.dataset.pipeline[0].update(clip_len=4, frame_interval=2)
_base_.val_dataloader.dataset.pipeline[0].update(clip_len=4, frame_interval=2)
test_dataloader = _base_.val_dataloader
