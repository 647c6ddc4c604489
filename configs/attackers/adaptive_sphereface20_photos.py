# A SphereFace-20 that is trained from scratch on photographs modified by the modifier
# of `resnet6_mobilefacenet.py`. Give the number of people:
#   python tools/train.py configs/attackers/adaptive_sphereface20_photos.py \
#       --cfg-options model.recognizer.head.num_classes=5000 \
#       model.modifier.init_cfg.checkpoint=modifier.pth
_base_ = [
    '../_base_/attackers/training.py',
    '../_base_/anonymizers/resnet6_mobilefacenet.py',
]

game = _base_.custom_hooks[0]
custom_hooks = []
model = dict(
    type='mmanon.AdaptiveRecognizer',
    margin=game.margin,
    modifier=dict(
        **game.modifier,
        init_cfg=dict(type='Pretrained', checkpoint='modifier.pth'),
    ),
    recognizer=dict(
        type='mmanon.FaceClassifier',
        backbone=dict(type='mmanon.SphereFaceNet', depth=20),
        head=dict(type='mmanon.CosFaceHead', s=30.0, m=0.2, num_classes=1000),
    ),
)
train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        _delete_=True,
        **game.faces.dataset,
        crop_size=game.crop_size,
        margin=game.margin,
    ),
)
