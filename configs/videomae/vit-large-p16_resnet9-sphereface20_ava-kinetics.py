_base_ = [
    'mmaction::detection/videomae/'
    'vit-large-p16_videomae-k400-pre_8xb8-16x4x1-20e-adamw_ava-kinetics-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmaction2's detector, trained on original AVA-Kinetics.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/videomae/'
    'vit-large-p16_videomae-k400-pre_8xb8-16x4x1-20e-adamw_ava-kinetics-rgb/'
    'vit-large-p16_videomae-k400-pre_8xb8-16x4x1-20e-adamw_'
    'ava-kinetics-rgb_20230314-bf93c9ea.pth'
)
