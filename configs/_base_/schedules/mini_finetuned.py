# A plain detector is trained for 700 more iterations, on raw clips or in the game; see
# configs/mini/slowonly_finetuned_mini.py.
_base_ = './mini.py'

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
