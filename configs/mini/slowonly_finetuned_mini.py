# The plain detector goes on for half as long: what an anonymized detector of the same
# budget is compared with.
_base_ = './slowonly_mini.py'

load_from = 'work_dirs/mini/plain/epoch_10.pth'
train_cfg = dict(max_epochs=5, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
