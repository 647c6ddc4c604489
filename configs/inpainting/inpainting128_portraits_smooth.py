# The same without a critic: smooth heads, in less than an hour on two cores. With
# `load_from` it goes on from a modifier that was trained with one.
_base_ = './inpainting128_portraits.py'

model = dict(draw_first=1_000_000_000, momentum=0.005)
train_dataloader = dict(batch_size=8)
train_cfg = dict(max_iters=2500)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=2500, eta_min=1e-5),
]
