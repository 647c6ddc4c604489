# Heads that are nobody's. An inpainting modifier learns from portraits to put the heads
# of drawn people into pictures: one folder a person, the face box enlarged by half of
# its side on each side. An hour on one or two cores.
#   python tools/dataset_converters/split_people.py data/portraits/train \
#     --test data/portraits/test --out data/splits
#   python tools/train.py configs/inpainting/inpainting128_portraits.py
default_scope = 'mmengine'

# What the modifier is shown: portraits are such crops. It leaves what is around the
# head as it is, so that hardly an edge needs to fade.
modifier = dict(type='mmanon.InpaintingModifier', size=128, people=36)
crop_size, margin, feather = 128, 0.5, 0.02

portraits = dict(
    type='mmanon.PortraitDataset',
    data_root='data/portraits/train',
    landmark_detector=dict(
        type='mmanon.YuNetFaceDetector',
        weights='checkpoints/face_detection_yunet_2023mar.onnx',
    ),
)
model = dict(
    type='mmanon.InpaintingPretraining',
    modifier=modifier,
    recognizer=dict(
        type='mmanon.MobileFaceNet',
        init_cfg=dict(
            type='Pretrained', checkpoint='checkpoints/mobilefacenet_ms1m.pt'
        ),
    ),
    # Whom it draws: people that a network has drawn, and who do not exist.
    people=dict(portraits, identities='configs/inpainting/drawn_people.txt'),
    # Only reconstruction: in small batches a critic leads to glaring eyes.
    draw_first=1_000_000_000,
    # Without it on a CPU that lacks AVX512_BF16: it would be slower.
    bfloat16=True,
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        portraits,
        identities='data/splits/modifier.txt',
        # Pictures that may be measured by, and not learned from.
        skip=['second.*'],
        # The mini benchmark's cups, phones and hands, to be held before faces.
        things=3000,
    ),
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, T_max=6000, eta_min=1e-5),
]
adam = dict(type='Adam', lr=1e-3, betas=(0.5, 0.99))
optim_wrapper = dict(
    constructor='mmanon.PartsOptimWrapperConstructor',
    drawing=dict(
        modules=['modifier'],
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
del adam, portraits
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
