# The bottleneck beside a blending network and the hand-crafted methods, on the mini
# benchmark with whole heads of photographs:
#   python tools/make_mini_benchmark.py --preset heads --out data/mini_heads \
#     --faces PHOTOGRAPHS
#   python tools/tradeoff.py configs/tradeoff/tradeoff_heads.py --preset small
# Attackers practise on the people of the game; tradeoff_portraits.py has others.
_base_ = [
    '../mini/slowonly_bottleneck_heads.py',
    '../_base_/tradeoff/mini.py',
]

methods = _base_.tradeoff.methods
for name, method in methods.items():
    if name != 'learned':
        # Nobody plays against them.
        method.hook.update(
            discriminator=None,
            adversarial_loss=None,
            structure_loss=None,
            temporal_loss=None,
            optim_wrapper=None,
            phases=dict(fine_tune=100),
        )
del method, name
# What the code may tell.
methods.learned_rate = dict(
    hook=dict(), strength='modifier.rate_weight', strengths=[0.001, 0.05]
)
# A network that sees the face it draws over, before the same discriminators.
methods.blend = dict(
    hook=dict(
        modifier=dict(
            type='mmanon.ResNetModifier',
            base_channels=16,
            num_blocks=4,
            num_downs=1,
            outer_kernel=3,
            start='blend',
        ),
        structure_loss=dict(
            type='mmanon.AverageFaceLoss', own_weight=0.965, loss_weight=2.0
        ),
    ),
)
mobilefacenet = dict(
    type='mmanon.FaceClassifier',
    backbone=_base_.custom_hooks[0].discriminator.members[2].backbone,
)

tradeoff = dict(
    methods=methods,
    detector='configs/mini/slowonly_finetuned_heads.py',
    people=dict(
        type='mmanon.FaceIdentityDataset', data_root='data/mini_heads/faces/test'
    ),
    attackers=dict(
        mobilefacenet=dict(recognizer=mobilefacenet, views=['face', 'crop']),
        margin_pixels=dict(
            recognizer=dict(type='mmanon.MarginPixelRecognizer'), views=['crop']
        ),
        scratch=dict(
            train='configs/attackers/scratch_validated.py', views=['face', 'crop']
        ),
        linker=dict(train='configs/attackers/linker_validated.py', views=['crop']),
        tuned=dict(
            train='configs/attackers/tuned_validated.py', views=['face', 'crop']
        ),
        unet=dict(
            train='configs/attackers/unet_validated.py',
            recognizer='mobilefacenet',
            views=['crop'],
        ),
    ),
    presets=dict(
        small=dict(
            methods=['raw', 'downsample:8', 'blur:0.06', 'mask', 'blend', 'learned'],
            attackers=['mobilefacenet', 'margin_pixels', 'tuned'],
        )
    ),
)
del methods, mobilefacenet
