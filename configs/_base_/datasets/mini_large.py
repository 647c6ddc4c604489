# As mini_heads.py, with heads of about 112 pixels in frames of 336 pixels, made by
#   python tools/make_mini_benchmark.py --preset large --out data/mini_large \
#     --faces PHOTOGRAPHS
_base_ = './mini_heads.py'

data_root = 'data/mini_large/rawframes'
anno_root = 'data/mini_large/annotations'
label_file = f'{anno_root}/actions.pbtxt'

_base_.train_dataloader.dataset.pipeline[2].update(scale=(-1, 336))
_base_.val_dataloader.dataset.pipeline[2].update(scale=(-1, 336))
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        ann_file=f'{anno_root}/train.csv',
        exclude_file=f'{anno_root}/excluded_train.csv',
        proposal_file=f'{anno_root}/proposals_train.npz',
        label_file=label_file,
        data_prefix=dict(img=data_root),
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file=f'{anno_root}/test.csv',
        exclude_file=f'{anno_root}/excluded_test.csv',
        proposal_file=f'{anno_root}/proposals_test.npz',
        label_file=label_file,
        data_prefix=dict(img=data_root),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file=f'{anno_root}/test.csv',
    exclude_file=f'{anno_root}/excluded_test.csv',
    label_file=label_file,
)
test_evaluator = val_evaluator
