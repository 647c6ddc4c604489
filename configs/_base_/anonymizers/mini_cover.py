# The game of mini.py with a bottleneck modifier: it draws nearly the same coloured
# pattern over every face, and keeps pixels that the detector needs, such as objects at
# the mouth.
_base_ = './mini.py'

game = _base_.custom_hooks[0]
game.modifier = dict(
    type='mmanon.BottleneckModifier',
    size=24,
    code_size=12,
    look_size=0,
    # Small weights, so that the detector's loss counts for more. D alone limits what
    # the code tells about a person.
    rate_weight=0.0002,
    target_weight=0.05,
    cover_weight=0.0,
    skin_guard=0.1,
    margin=0.15,
)
# The modifier has its own losses.
game.structure_loss.update(loss_weight=0.0)
game.adversarial_loss.update(loss_weight=0.014)
game.optim_wrapper.modifier.update(clip_grad=dict(max_norm=5.0))
# M settles before the game ends, so that D has caught up with it when D is measured.
game.param_scheduler = dict(
    modifier=[
        dict(
            type='CosineAnnealingLR',
            by_epoch=False,
            begin=150,
            T_max=200,
            end=350,
            eta_min=2e-4,
        )
    ],
    discriminator=[
        dict(type='CosineAnnealingLR', by_epoch=False, T_max=350, end=350, eta_min=2e-4)
    ],
)
# There is no warm-up: during a warm-up, no loss makes M keep what A needs.
game.phases.update(warm_up=0, fine_tune=350)
custom_hooks = [game, _base_.custom_hooks[1]]
del game
