_base_ = [
    'mmaction::detection/slowfast/'
    'slowfast_kinetics400-pretrained-r50-context_8xb16-4x16x1-20e_ava21-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmaction2's detector, trained on original AVA 2.1.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/slowfast/'
    'slowfast_kinetics400-pretrained-r50-context_8xb16-4x16x1-20e_ava21-rgb/'
    'slowfast_kinetics400-pretrained-r50-context_8xb16-4x16x1-20e_'
    'ava21-rgb_20220906-5bb4f6f2.pth'
)
