# The keyframes of the mini benchmark, for detectors of single frames. Their annotations
# are made by
#   for split in train test; do
#     python tools/dataset_converters/ava_to_coco.py data/mini/annotations/$split.csv \
#       --labels data/mini/annotations/actions.pbtxt --frames data/mini/rawframes
#   done
dataset_type = 'CocoDataset'
data_root = 'data/mini/'
metainfo = dict(
    classes=(
        'drink',
        'brush teeth',
        'smoke',
        'phone',
        'play mouth organ',
        'apply make-up',
        'eat',
        'yawn',
        'talk',
        'wave',
        'clap',
        'jump',
    )
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/train.json',
        data_prefix=dict(img='rawframes/'),
        metainfo=metainfo,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
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

# The same ground truth as for detectors of clips, so that the figures can be compared.
val_evaluator = dict(
    type='mmanon.FrameMAPMetric',
    ann_file=f'{data_root}annotations/test.csv',
    label_file=f'{data_root}annotations/actions.pbtxt',
)
test_evaluator = val_evaluator
