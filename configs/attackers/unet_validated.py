# A U-Net that learns to undo the modifier, before a recognizer that stays as it is. Its
# validation asks whether that recognizer knows people better by what it restores.
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
