# Heads that are nobody's: an inpainting modifier learns to draw them from portraits,
# one folder a person, the face box enlarged by half of its side on each side.
#   python tools/dataset_converters/split_people.py data/portraits/train \
#     --test data/portraits/test --out data/splits
#   python tools/train.py configs/inpainting/inpainting128_portraits.py
default_scope = 'mmengine'

# What the modifier is shown: portraits are such crops. It leaves what is around the
# head as it is, so that hardly an edge needs to fade.
modifier = dict(type='mmanon.InpaintingModifier', size=128)
crop_size, margin, feather = 128, 0.5, 0.02

model = dict(
    type='mmanon.InpaintingPretraining',
    modifier=modifier,
    recognizer=dict(
        type='mmanon.MobileFaceNet',
        init_cfg=dict(
            type='Pretrained', checkpoint='checkpoints/mobilefacenet_ms1m.pt'
        ),
    ),
)
train_dataloader = dict(
    batch_size=96,
    num_workers=2,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmanon.PortraitDataset',
        data_root='data/portraits/train',
        identities='data/splits/modifier.txt',
        # Pictures that may be measured by, and not learned from.
        skip=['second.*'],
        # The mini benchmark's cups, phones and hands, to be held before faces.
        things=3000,
        landmark_detector=dict(
            type='mmanon.YuNetFaceDetector',
            weights='checkpoints/face_detection_yunet_2023mar.onnx',
        ),
    ),
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6000)
adam = dict(type='Adam', lr=1e-3, betas=(0.5, 0.99))
param_scheduler = [
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=6000, eta_min=1e-5)
]
optim_wrapper = dict(
    constructor='mmanon.PartsOptimWrapperConstructor',
    drawing=dict(
        modules=['modifier', 'key_encoder'],
        type='OptimWrapper',
        optimizer=adam,
        clip_grad=dict(max_norm=10.0),
    ),
    critics=dict(
        modules=['critic', 'landmark_net'],
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=6e-4, betas=(0.5, 0.99)),
    ),
)
del adam
custom_hooks = [
    dict(type='mmanon.HeadPictureHook', interval=500),
]
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=500, max_keep_ckpts=1
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)
visualizer = dict(
    type='Visualizer', vis_backends=[dict(type='mmengine.LocalVisBackend')]
)
env_cfg = dict(dist_cfg=dict(backend='nccl'))
randomness = dict(seed=0)
