# The trade-off on the mini benchmark's drawn people:
#   python tools/make_mini_benchmark.py --out data/mini
#   python tools/tradeoff.py configs/tradeoff/tradeoff_mini.py --preset small
# Without the preset all methods, strengths, seeds and attackers.
_base_ = [
    '../mini/slowonly_resnet-sphereface_mini.py',
    '../_base_/tradeoff/methods.py',
]

tradeoff = dict(
    # All runs go on from one plain detector.
    detector='configs/mini/slowonly_mini.py',
    people=dict(type='mmanon.FaceIdentityDataset', data_root='data/mini/faces/test'),
    attackers=dict(
        discriminator=dict(recognizer='discriminator'),
        unseen=dict(train_once='configs/attackers/recognizer_mini.py'),
        adaptive=dict(train='configs/attackers/adaptive_mini.py'),
        restorer=dict(train='configs/attackers/restorer_mini.py', recognizer='unseen'),
    ),
    presets=dict(
        small=dict(
            methods=['raw', 'downsample:8', 'blur:0.06', 'mask', 'learned'],
            seeds=[0],
            attackers=['discriminator', 'unseen'],
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
