_base_ = [
    'mmaction::detection/acrn/'
    'slowfast-acrn_kinetics400-pretrained-r50_8xb8-8x8x1-cosine-10e_ava21-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmaction2's detector, trained on original AVA 2.1.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/acrn/'
    'slowfast-acrn_kinetics400-pretrained-r50_8xb8-8x8x1-cosine-10e_ava21-rgb/'
    'slowfast-acrn_kinetics400-pretrained-r50_8xb8-8x8x1-cosine-10e_'
    'ava21-rgb_20220906-0dae1a90.pth'
)
