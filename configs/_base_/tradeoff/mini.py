# The methods, and a small preset for the schedules of the mini benchmark.
_base_ = './methods.py'

tradeoff = dict(
    presets=dict(
        small=dict(
            methods=['raw', 'downsample:8', 'blur:0.06', 'mask', 'learned'],
            seeds=[0],
            # Four epochs of seven, and the game's phases with them.
            options={
                'train_cfg.max_epochs': 4,
                'param_scheduler.0.begin': 2,
                'param_scheduler.0.T_max': 2,
                'custom_hooks.0.phases.fine_tune': 100,
            },
        ),
    ),
)
