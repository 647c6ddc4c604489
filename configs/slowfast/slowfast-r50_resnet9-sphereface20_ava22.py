_base_ = [
    'mmaction::detection/slowfast/'
    'slowfast_kinetics400-pretrained-r50_8xb6-8x8x1-cosine-10e_ava22-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmaction2's detector, trained on original AVA 2.2.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/slowfast/'
    'slowfast_kinetics400-pretrained-r50_8xb6-8x8x1-cosine-10e_ava22-rgb/'
    'slowfast_kinetics400-pretrained-r50_8xb6-8x8x1-cosine-10e_ava22-rgb_'
    '20220906-d934a48f.pth'
)
