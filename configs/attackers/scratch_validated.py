# A recognizer that is trained from scratch on original and modified faces, as long as
# its validation improves. The sweep sets its modifier, people and view; see
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
