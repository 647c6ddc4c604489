# The game of mini.py on photographs. D is MobileFaceNet with trained weights, which are
# given by `--cfg-options
# custom_hooks.0.discriminator.backbone.init_cfg.checkpoint=FILE`. Its embedding also
# compares people who are not in its training data.
_base_ = './mini.py'

game = _base_.custom_hooks[0]
game.modifier.update(base_channels=16, num_blocks=4, num_downs=1, start='blend')
game.discriminator = dict(
    type='mmanon.FaceClassifier',
    backbone=dict(
        type='mmanon.MobileFaceNet',
        init_cfg=dict(
            type='Pretrained', checkpoint='checkpoints/mobilefacenet_ms1m.pt'
        ),
    ),
    head=dict(type='mmanon.CosFaceHead', s=16.0, m=0.1),
    norm_eval=True,
)
game.faces.update(batch_size=8)
game.faces.dataset.update(data_root='data/mini_photos/faces/train')
game.val_faces.dataset.update(data_root='data/mini_photos/faces/val')
game.optim_wrapper.discriminator = dict(
    optimizer=dict(type='Adam', lr=2e-4),
    # Only the head starts from random weights.
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))),
)
game.pop('param_scheduler')
game.discriminator_steps = 1
game.adversarial_loss = dict(
    type='mmanon.EmbeddingSimilarityLoss', shrinks=[1, 2, 4], loss_weight=1.0
)
game.structure_loss = dict(
    type='mmanon.AverageFaceLoss', own_weight=0.965, loss_weight=8.0
)
custom_hooks = [game, _base_.custom_hooks[1]]
del game
