# The mini benchmark with heads from photographs instead of drawn heads, made by
#   python tools/make_mini_benchmark.py --out data/mini_photos --faces PHOTOGRAPHS
_base_ = './mini.py'

data_root = 'data/mini_photos/rawframes'
anno_root = 'data/mini_photos/annotations'
label_file = f'{anno_root}/actions.pbtxt'

train_dataloader = dict(
    dataset=dict(
        ann_file=f'{anno_root}/train.csv',
        exclude_file=f'{anno_root}/excluded_train.csv',
        proposal_file=f'{anno_root}/proposals_train.npz',
        label_file=label_file,
        data_prefix=dict(img=data_root),
    )
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
