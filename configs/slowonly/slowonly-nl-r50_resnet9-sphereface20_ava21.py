_base_ = [
    'mmaction::detection/slowonly/'
    'slowonly_kinetics400-pretrained-r50-nl_8xb16-8x8x1-20e_ava21-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmaction2's detector, trained on original AVA 2.1.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/slowonly/'
    'slowonly_kinetics400-pretrained-r50-nl_8xb16-8x8x1-20e_ava21-rgb/'
    'slowonly_kinetics400-pretrained-r50-nl_8xb16-8x8x1-20e_'
    'ava21-rgb_20220906-9760eadb.pth'
)
