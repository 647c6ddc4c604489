# The built-in mini benchmark, made by `python tools/make_mini_benchmark.py`.
dataset_type = 'AVADataset'
data_root = 'data/mini/rawframes'
anno_root = 'data/mini/annotations'
num_classes = 13  # 12 actions, and class 0 for the background

ann_file_train = f'{anno_root}/train.csv'
ann_file_val = f'{anno_root}/test.csv'
exclude_file_train = f'{anno_root}/excluded_train.csv'
exclude_file_val = f'{anno_root}/excluded_test.csv'
proposal_file_train = f'{anno_root}/proposals_train.npz'
proposal_file_val = f'{anno_root}/proposals_test.npz'
label_file = f'{anno_root}/actions.pbtxt'

# A timestamp is the number of a frame's file. SampleAVAFrames adds `start_index` twice
# to the difference of timestamp and `timestamp_start`: so `timestamp_start` is 2 for
# files that start at 1. It uses the first `timestamp_end - timestamp_start` files.
clock = dict(fps=1, start_index=1, timestamp_start=2, timestamp_end=10)

train_pipeline = [
    dict(type='SampleAVAFrames', clip_len=2, frame_interval=4),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='SampleAVAFrames', clip_len=2, frame_interval=4, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='FormatShape', input_format='NCTHW', collapse=True),
    dict(type='PackActionInputs'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        ann_file=ann_file_train,
        exclude_file=exclude_file_train,
        pipeline=train_pipeline,
        label_file=label_file,
        proposal_file=proposal_file_train,
        num_classes=num_classes,
        data_prefix=dict(img=data_root),
        **clock,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        ann_file=ann_file_val,
        exclude_file=exclude_file_val,
        pipeline=val_pipeline,
        label_file=label_file,
        proposal_file=proposal_file_val,
        num_classes=num_classes,
        data_prefix=dict(img=data_root),
        test_mode=True,
        **clock,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='AVAMetric',
    ann_file=ann_file_val,
    label_file=label_file,
    exclude_file=exclude_file_val,
    num_classes=num_classes,
)
test_evaluator = val_evaluator
