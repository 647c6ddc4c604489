# The training of an attacker: batches of faces of its own people, counted in
# iterations. The config of an attacker adds the `model`, and `data_root`, `crop_size`
# and `margin` of the faces. Crop size and margin are those of the attacked modifier.
default_scope = 'mmengine'

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='mmanon.ClassBalancedSampler', batch_size=32),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='mmanon.FaceIdentityDataset'),
)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=10000)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3), clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        eta_min=1e-5,
    )
]

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=1
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)
env_cfg = dict(dist_cfg=dict(backend='nccl'))
randomness = dict(seed=0)
load_from = None
resume = False
