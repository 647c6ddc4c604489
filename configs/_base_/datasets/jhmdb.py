# JHMDB in single frames, as tools/dataset_converters/jhmdb.py writes it: split 1 of 3.
# For another split:
#   --cfg-options train_dataloader.dataset.ann_file=annotations/train_2.json \
#     {val,test}_dataloader.dataset.ann_file=annotations/test_2.json
dataset_type = 'CocoDataset'
data_root = 'data/jhmdb/'
metainfo = dict(
    classes=(
        'brush_hair',
        'catch',
        'clap',
        'climb_stairs',
        'golf',
        'jump',
        'kick_ball',
        'pick',
        'pour',
        'pullup',
        'push',
        'run',
        'shoot_ball',
        'shoot_bow',
        'shoot_gun',
        'sit',
        'stand',
        'swing_baseball',
        'throw',
        'walk',
        'wave',
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
        ann_file='annotations/train_1.json',
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
        ann_file='annotations/test_1.json',
        data_prefix=dict(img='rawframes/'),
        metainfo=metainfo,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

# The paper reports the frame mAP at an IoU of 0.5; the video mAP is added.
val_evaluator = dict(type='mmanon.FrameMAPMetric', classwise=True)
test_evaluator = [
    val_evaluator,
    dict(type='mmanon.VideoMAPMetric', ann_file=f'{data_root}annotations/tubes.json'),
]
