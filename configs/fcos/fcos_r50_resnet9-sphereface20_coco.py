_base_ = [
    'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    '../_base_/anonymizers/resnet9_sphereface20.py',
]

# mmdet's detector, trained on original COCO.
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/fcos/'
    'fcos_r50_caffe_fpn_gn-head_1x_coco/'
    'fcos_r50_caffe_fpn_gn-head_1x_coco-821213aa.pth'
)
