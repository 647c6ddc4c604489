# The same without a critic: smooth heads, in an hour on one or two cores. With
# `load_from` it goes on from a modifier that was trained with one. In small batches a
# critic, and what finds landmarks in drawn faces, lead to glaring eyes.
_base_ = './inpainting128_portraits.py'

model = dict(
    draw_first=1_000_000_000,
    momentum=0.005,
    # Without it on a CPU that lacks AVX512_BF16: it would be slower.
    bfloat16=True,
    weights=dict(edges=3.0, face_features=2.0, rate=0.03),
)
train_dataloader = dict(batch_size=8, num_workers=0, persistent_workers=False)
train_cfg = dict(max_iters=2800)
optim_wrapper = dict(drawing=dict(optimizer=dict(lr=5e-4)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=2800, eta_min=1e-5),
]
