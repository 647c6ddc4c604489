# After the game: M is frozen, and only A is fine-tuned on the faces that M redraws.
# Without a discriminator, M is not trained.
_base_ = './faster-rcnn_r101_resnet9-sphereface20_jhmdb.py'

load_from = 'work_dirs/faster-rcnn_r101_resnet9-sphereface20_jhmdb/epoch_12.pth'
train_cfg = dict(max_epochs=2)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = []

game = _base_.custom_hooks[0]
custom_hooks = [
    dict(
        type=game.type,
        modifier=game.modifier,
        crop_size=game.crop_size,
        margin=game.margin,
    ),
]
