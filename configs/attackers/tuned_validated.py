# MobileFaceNet, fine-tuned so that modified faces get the embeddings of the originals.
# It starts from its trained weights, and stops when its validation stops improving.
_base_ = '../_base_/attackers/validated.py'

model = dict(
    type='mmanon.TunedRecognizer',
    modifier=dict(type='mmanon.IdentityModifier'),
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
    batch_size=24,
    sampler=dict(batch_size=24),
    dataset=dict(augmentation=dict(type='mmanon.FaceAugmentation')),
)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
train_cfg = dict(max_iters=1000, val_interval=25)
