# new_head learns to draw all of the crop, from the code and a portrait alone: hair
# beside the neck, clothes and background do not tell of the person any more. For the
# game of configs/tradeoff/tradeoff_heads_portraits.py; 0.42 s an iteration
# on one core.
#   python tools/train.py configs/inpainting/inpainting128_crops.py
#   mmanon export work_dirs/inpainting128_crops/iter_3000.pth \
#     --modifier checkpoints/new_crop.pth
_base_ = './inpainting128_portraits.py'

modifier = dict(
    region='crop', init_cfg=dict(type='Pretrained', checkpoint='mmanon://new_head')
)
model = dict(
    modifier=modifier,
    # It keeps those that it holds.
    people=None,
    # The code may not describe clothes and background.
    weights=dict(rate=0.04),
)
train_cfg = dict(max_iters=3000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=3000, eta_min=1e-5),
]
