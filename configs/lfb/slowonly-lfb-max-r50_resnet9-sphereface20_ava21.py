_base_ = [
    'mmaction::detection/lfb/'
    'slowonly-lfb-max_kinetics400-pretrained-r50_8xb12-4x16x1-20e_ava21-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmaction2's detector, trained on original AVA 2.1.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/lfb/'
    'slowonly-lfb-max_kinetics400-pretrained-r50_8xb12-4x16x1-20e_ava21-rgb/'
    'slowonly-lfb-max_kinetics400-pretrained-r50_8xb12-4x16x1-20e_'
    'ava21-rgb_20220906-4963135b.pth'
)
