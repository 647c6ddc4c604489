_base_ = [
    'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmdet's detector, trained on original COCO.
load_from = (
    'https://download.openmmlab.com/mmdetection/v3.0/dino/'
    'dino-4scale_r50_8xb2-12e_coco/'
    'dino-4scale_r50_8xb2-12e_coco_20221202_182705-55b2bba2.pth'
)
