# Two clips of one signer (tools/dataset_converters/single_person.py): a large face in
# every frame.
_base_ = './slowonly-r50_resnet6-mobilefacenet_ucf24.py'

num_classes = 3  # two signs, and 0 for the background
data_root = 'data/signing'
label_file = f'{data_root}/annotations/labels.pbtxt'

model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes, topk=(1,))))
# Short clips: four frames, four apart.
train_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/annotations/train.csv',
        proposal_file=f'{data_root}/annotations/train_proposals.npz',
        label_file=label_file,
        num_classes=num_classes,
        data_prefix=dict(img=f'{data_root}/rawframes'),
        pipeline=[
            dict(type='SampleAVAFrames', clip_len=4, frame_interval=4),
            dict(type='RawFrameDecode'),
            dict(type='RandomRescale', scale_range=(256, 320)),
            dict(type='RandomCrop', size=256),
            dict(type='Flip', flip_ratio=0.5),
            dict(type='FormatShape', input_format='NCTHW', collapse=True),
            dict(type='PackActionInputs'),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file=f'{data_root}/annotations/test.csv',
        proposal_file=f'{data_root}/annotations/test_proposals.npz',
        label_file=label_file,
        num_classes=num_classes,
        data_prefix=dict(img=f'{data_root}/rawframes'),
        pipeline=[
            dict(type='SampleAVAFrames', clip_len=4, frame_interval=4, test_mode=True),
            dict(type='RawFrameDecode'),
            dict(type='Resize', scale=(-1, 256)),
            dict(type='FormatShape', input_format='NCTHW', collapse=True),
            dict(type='PackActionInputs'),
        ],
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file=f'{data_root}/annotations/test.csv',
    label_file=label_file,
    num_classes=num_classes,
)
test_evaluator = val_evaluator
