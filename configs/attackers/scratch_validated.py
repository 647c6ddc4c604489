# A recognizer that learns people from scratch, from original and modified faces, for as
# long as its validation gains by it. The sweep gives it modifier, people and view; see
# docs/tradeoff.md.
_base_ = '../_base_/attackers/validated.py'

model = dict(
    type='mmanon.AdaptiveRecognizer',
    modifier=dict(type='mmanon.IdentityModifier'),
    recognizer=dict(
        type='mmanon.FaceClassifier',
        backbone=dict(
            type='mmanon.SphereFaceNet',
            depth=10,
            base_channels=24,
            embed_dim=128,
            input_size=(48, 48),
        ),
        head=dict(type='mmanon.ArcFaceHead', s=16.0, m=0.1, num_classes=100),
    ),
)
train_dataloader = dict(dataset=dict(augmentation=dict(type='mmanon.FaceAugmentation')))
