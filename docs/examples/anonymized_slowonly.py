# ruff: noqa: F821
_base_ = [
    'mmaction::detection/slowonly/'
    'slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py',
    'mmanon::_base_/anonymizers/resnet9_sphereface20.py',
]

# A list replaces the one of `_base_`: take its parts and change what differs.
custom_hooks = [
    dict(
        _base_.custom_hooks[0],
        modifier=dict(type='mmanon.UNetModifier', base_channels=32),
        adversarial_loss=dict(type='mmanon.UniformTargetLoss'),
        crop_size=128,
        margin=0.4,
        face_table='data/ava/faces.parquet',
        ema=dict(type='ExponentialMovingAverage', momentum=0.001),
    ),
    *_base_.custom_hooks[1:],
]
