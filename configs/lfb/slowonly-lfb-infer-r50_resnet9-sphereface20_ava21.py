_base_ = [
    'mmaction::detection/lfb/slowonly-lfb-infer_r50_ava21-rgb.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# A bank of modified faces needs a trained modifier: give its checkpoint to
# tools/test.py. mmaction2's SlowOnly, trained on original AVA 2.1, has no modifier.
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/detection/slowonly/'
    'slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb/'
    'slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_'
    'ava21-rgb_20220906-953ef5fe.pth'
)
