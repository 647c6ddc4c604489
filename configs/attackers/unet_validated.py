# A U-Net that is trained to undo the modifier, before a frozen recognizer. Its
# validation measures how well the recognizer recognizes people in the restored faces.
_base_ = '../_base_/attackers/validated.py'

model = dict(
    type='mmanon.RestoringRecognizer',
    modifier=dict(type='mmanon.IdentityModifier'),
    restorer=dict(type='mmanon.UNetModifier', base_channels=16, depth=3),
    recognizer=dict(
        type='mmanon.FaceClassifier',
        backbone=dict(
            type='mmanon.MobileFaceNet',
            init_cfg=dict(
                type='Pretrained', checkpoint='checkpoints/mobilefacenet_ms1m.pt'
            ),
        ),
    ),
)
train_dataloader = dict(
    batch_size=16,
    sampler=dict(batch_size=16),
    dataset=dict(augmentation=dict(type='mmanon.FaceAugmentation')),
)
