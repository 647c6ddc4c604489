from mmengine import Config

_base_ = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'

# RTMDet's config has `custom_hooks` of its own, and two bases may not both set them. So
# this config adds by hand what the second line in `_base_` adds for other detectors.
anonymizer = Config.fromfile(
    '{{ fileDirname }}/../_base_/anonymizers/resnet9_sphereface20.py'
)
custom_imports = anonymizer.custom_imports
custom_hooks = [*_base_.custom_hooks, *anonymizer.custom_hooks]
del anonymizer, Config

# mmdet's detector, trained on original COCO.
load_from = (
    'https://download.openmmlab.com/mmdetection/v3.0/rtmdet/'
    'rtmdet_tiny_8xb32-300e_coco/'
    'rtmdet_tiny_8xb32-300e_coco_20220902_112414-78e30dcc.pth'
)
