# The plain detector is trained for 700 more iterations. An anonymized detector with the
# same number of iterations is compared with it. The learning rate falls from the fourth
# epoch on, so that a detector in the game can still adapt when the modifier is settled.
_base_ = './slowonly_mini.py'

load_from = 'work_dirs/mini/plain/epoch_7.pth'
train_cfg = dict(max_epochs=7, val_interval=7)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=3,
        T_max=4,
        eta_min=1e-5,
        convert_to_iter_based=True,
    )
]
