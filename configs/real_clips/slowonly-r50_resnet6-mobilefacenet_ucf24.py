# A few UCF101-24 clips in AVA's format (tools/dataset_converters/ucf101_24.py), with
# mmaction2's unchanged SlowOnly. It shows that all parts work on real videos.
_base_ = [
    'mmaction::detection/slowonly/'
    'slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py',
    '../_base_/anonymizers/resnet6_mobilefacenet.py',
]

num_classes = 9  # eight actions, and 0 for the background
data_root = 'data/ucf24'
label_file = f'{data_root}/annotations/labels.pbtxt'
# Timestamps count frames; see mmanon/datasets/formats/ava_writer.py.
counting_frames = dict(
    fps=1,
    start_index=1,
    timestamp_start=2,
    timestamp_end=100000,
    num_classes=num_classes,
    label_file=label_file,
    exclude_file=None,
    person_det_score_thr=0.9,
    data_prefix=dict(img=f'{data_root}/rawframes'),
)

# Random weights unless a checkpoint is given: load_from, or model.init_cfg.
model = dict(
    init_cfg=None, roi_head=dict(bbox_head=dict(num_classes=num_classes, topk=(1, 3)))
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=f'{data_root}/annotations/train.csv',
        proposal_file=f'{data_root}/annotations/train_proposals.npz',
        **counting_frames,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=f'{data_root}/annotations/test.csv',
        proposal_file=f'{data_root}/annotations/test_proposals.npz',
        **counting_frames,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file=f'{data_root}/annotations/test.csv',
    label_file=label_file,
    exclude_file=None,
    num_classes=num_classes,
)
test_evaluator = val_evaluator

train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters=60, val_interval=60
)
train_dataloader['sampler'] = dict(type='InfiniteSampler', shuffle=True)
param_scheduler = None
optim_wrapper = dict(optimizer=dict(lr=0.005))
log_processor = dict(by_epoch=False)
default_hooks = dict(
    logger=dict(interval=5),
    checkpoint=dict(by_epoch=False, interval=30, save_best=None),
)
