_base_ = '../../configs/_base_/attackers/training.py'

custom_imports = dict(imports=['mmanon', 'linking_attacker'])

crop_size, margin = 112, 0.3
model = dict(
    type='mmanon.LinkingAttacker',
    margin=margin,
    modifier=dict(type='mmanon.DownsampleModifier', size=8),
    recognizer=dict(
        type='mmanon.FaceClassifier',
        backbone=dict(
            type='mmanon.MobileFaceNet',
            init_cfg=dict(type='Pretrained', checkpoint='mobilefacenet_ms1m.pt'),
        ),
    ),
)
train_dataloader = dict(
    dataset=dict(data_root='data/faces/attacker', crop_size=crop_size, margin=margin)
)
