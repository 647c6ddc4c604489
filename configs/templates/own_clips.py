# A few clips of your own, on one GPU or a CPU. `mmanon convert own-clips` prepares the
# clips and writes a copy of this file with data_root, people and num_classes filled in.
_base_ = [
    # Small enough for a CPU; for a GPU, slowonly_r50.py starts from Kinetics weights.
    'mmanon::_base_/models/slowonly_small.py',
    'mmanon::_base_/anonymizers/resnet6_mobilefacenet.py',
]

data_root = 'data/own'
people = 'data/people'
num_classes = 3  # the actions, and class 0 for the background

label_file = f'{data_root}/annotations/labels.pbtxt'
model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes, topk=(1,))))

# A list replaces the list of `_base_`: this one takes its first entry and changes it.
# For several sets of people: data_root=['data/people', 'data/casia_webface'].
custom_hooks = [
    dict(
        _base_.custom_hooks[0],
        faces=dict(
            batch_size=16,
            num_workers=0,
            dataset=dict(
                type='mmanon.FaceIdentityDataset',
                data_root=people,
                detector=dict(type='mmanon.CenterFaceDetector'),
            ),
        ),
        # Iterations at the start in which D learns the people and A the original clips.
        phases=dict(warm_up=100),
    ),
    dict(type='mmanon.FacePictureHook', interval=100),
]

# A timestamp is the number of a frame's file.
clips = dict(
    type='AVADataset',
    label_file=label_file,
    exclude_file=None,
    num_classes=num_classes,
    data_prefix=dict(img=f'{data_root}/rawframes'),
    fps=1,
    start_index=1,
    timestamp_start=2,
    timestamp_end=100000,
)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file=f'{data_root}/annotations/train.csv',
        proposal_file=f'{data_root}/annotations/train_proposals.npz',
        **clips,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=f'{data_root}/annotations/test.csv',
        proposal_file=f'{data_root}/annotations/test_proposals.npz',
        test_mode=True,
        **clips,
    ),
)
test_evaluator = dict(
    type='AVAMetric',
    ann_file=f'{data_root}/annotations/test.csv',
    label_file=label_file,
    exclude_file=None,
    num_classes=num_classes,
)
val_dataloader, val_evaluator = test_dataloader, test_evaluator

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=10),
    # With save_optimizer=False, files are smaller but training cannot be resumed.
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
)
log_processor = dict(type='LogProcessor', window_size=10, by_epoch=True)
default_scope = 'mmaction'
randomness = dict(seed=0)

# What follows is of the small detector. `mmanon convert own-clips --detector CONFIG`
# leaves it out, because CONFIG has its own.
# Clips of 4 frames with an interval of 4.
train_pipeline = [
    dict(type='SampleAVAFrames', clip_len=4, frame_interval=4),
    dict(type='RawFrameDecode'),
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=256),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='SampleAVAFrames', clip_len=4, frame_interval=4, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]
train_dataloader['dataset']['pipeline'] = train_pipeline
test_dataloader['dataset']['pipeline'] = test_pipeline

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type='CosineAnnealingLR', by_epoch=True, eta_min=1e-5, convert_to_iter_based=True
)
