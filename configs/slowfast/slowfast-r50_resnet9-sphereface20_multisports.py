_base_ = [
    'mmaction::detection/slowfast/'
    'slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-8e_multisports-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmaction2's detector, trained on original MultiSports.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/slowfast/'
    'slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-8e_multisports-rgb/'
    'slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-8e_'
    'multisports-rgb_20230320-af666368.pth'
)
