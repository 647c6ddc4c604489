# The training of an attacker that its own validation stops: it ends when the result on
# people not trained on has not improved for four validations, or at `max_iters`. The
# best weights are kept. The config of an attacker adds `data_root` of both sets of
# people.
_base_ = './training.py'

train_cfg = dict(max_iters=2000, val_interval=50)
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='mmanon.FaceIdentityDataset', test_mode=True),
)
val_cfg = dict()
val_evaluator = dict(type='mmanon.AttackMetric')
# The learning rate falls when the validation stops improving, not at fixed iterations.
param_scheduler = [
    dict(
        type='ReduceOnPlateauLR',
        monitor='attack/auc',
        rule='greater',
        factor=0.3,
        patience=1,
        threshold=1e-3,
    )
]
default_hooks = dict(
    checkpoint=dict(interval=200, save_best='attack/auc', rule='greater')
)
custom_hooks = [
    dict(type='mmanon.ValidateFirstHook'),
    dict(
        type='EarlyStoppingHook',
        monitor='attack/auc',
        rule='greater',
        min_delta=1e-3,
        patience=4,
        strict=True,
    ),
]
