# The annotated keyframes of DALY, as tools/dataset_converters/daly.py writes them.
dataset_type = 'CocoDataset'
data_root = 'data/daly/'
metainfo = dict(
    classes=(
        'ApplyingMakeUpOnLips',
        'BrushingTeeth',
        'CleaningFloor',
        'CleaningWindows',
        'Drinking',
        'FoldingTextile',
        'Ironing',
        'Phoning',
        'PlayingHarmonica',
        'TakingPhotosOrVideos',
    )
)

# Faster R-CNN's own size of frames.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
# Annotations are loaded after the frame is resized. So they are in pixels of the
# original frame, as predictions are.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]

train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img='rawframes/'),
        metainfo=metainfo,
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/test.json',
        data_prefix=dict(img='rawframes/'),
        metainfo=metainfo,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

# The paper reports the frame mAP at an IoU of 0.5.
val_evaluator = dict(type='mmanon.FrameMAPMetric', classwise=True)
test_evaluator = val_evaluator
