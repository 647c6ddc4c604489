# A recognizer of the mini benchmark's people that is trained on original faces only:
# its modifier is the identity. Its architecture differs from that of the game's D.
_base_ = ['../_base_/attackers/training.py', '../_base_/anonymizers/mini.py']

game = _base_.custom_hooks[0]
custom_hooks = []
model = dict(
    type='mmanon.AdaptiveRecognizer',
    modifier=dict(type='mmanon.IdentityModifier'),
    learn_originals=False,
    margin=game.margin,
    recognizer=dict(
        type='mmanon.FaceClassifier',
        backbone=dict(
            type='mmanon.SphereFaceNet',
            depth=10,
            base_channels=24,
            embed_dim=128,
            input_size=(48, 48),
        ),
        head=dict(type='mmanon.ArcFaceHead', s=16.0, m=0.1, num_classes=60),
    ),
)
train_dataloader = dict(
    dataset=dict(
        data_root='data/mini/faces/train',
        crop_size=game.crop_size,
        margin=game.margin,
    )
)
train_cfg = dict(max_iters=600)
default_hooks = dict(checkpoint=dict(interval=200))
