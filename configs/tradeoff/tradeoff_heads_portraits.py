# Whole heads: the bottleneck's game, the modifier `new_head` as it is and in a game of
# its own, and hand-crafted methods, before attackers who practise on portraits of
# people that neither M nor the test has seen. The detector's clips are those of
# tradeoff_heads.py; docs/tradeoff.md has the results:
#   python tools/make_mini_benchmark.py --preset heads --out data/mini_heads \
#     --faces PHOTOGRAPHS
#   python tools/dataset_converters/split_people.py data/portraits/train \
#       --test data/portraits/test --out data/splits
#   python tools/tradeoff.py configs/tradeoff/tradeoff_heads_portraits.py --preset small
_base_ = [
    '../mini/slowonly_bottleneck_heads.py',
    '../_base_/tradeoff/mini.py',
]

train_root = 'data/portraits/train'
# They are crops already, the face box enlarged by half its longer side.
portraits = dict(type='mmanon.FaceIdentityDataset', image_margin=0.5)
# D's people have two pictures each: the London set's among data/splits/modifier.txt.
london = (
    '3 4 6 7 10 12 18 20 26 29 31 34 37 38 39 43 44 45 61 62 66 68 83 87 90 99 101 104 '
    '107 108 115 118 119 125 130 131 134 138 141 172'
)
london = [f'london_{int(number):03}' for number in london.split()]

game = _base_.custom_hooks[0]
# The crops that `new_head` was made for.
game.update(crop_size=128, margin=0.5, feather=0.02)
game.faces.dataset = dict(
    **portraits,
    data_root=train_root,
    identities=london,
    augmentation=dict(type='mmanon.FaceAugmentation'),
)
game.val_faces.dataset = dict(**portraits, data_root=train_root, identities=london)
custom_hooks = [game]

methods = _base_.tradeoff.methods
# Nobody plays against these.
alone = dict(
    discriminator=None,
    adversarial_loss=None,
    structure_loss=None,
    temporal_loss=None,
    optim_wrapper=None,
    phases=dict(fine_tune=1),
)
for name, method in methods.items():
    if name != 'learned':
        method.hook.update(alone)
new_head = dict(
    type='mmanon.InpaintingModifier',
    size=128,
    # Small weights, as those of the bottleneck.
    rate_weight=0.002,
    cover_weight=0.1,
)
begun = dict(type='Pretrained', checkpoint='mmanon://new_head')
# The same network, which draws all of the crop, trained by
# configs/inpainting/inpainting128_crops.py.
new_crop = dict(
    new_head,
    region='crop',
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/new_crop.pth'),
)
# As it is: the detector alone learns.
methods.new_head = dict(
    hook=dict(modifier=dict(new_head, init_cfg=begun), **alone), seeds=[0, 1, 2]
)
# M goes on learning, against the same discriminators, by small steps.
slow = dict(
    modifier=dict(
        optimizer=dict(type='Adam', lr=3e-4, betas=(0.5, 0.999)),
        clip_grad=dict(max_norm=5.0),
    ),
    discriminator=game.optim_wrapper.discriminator,
)
methods.new_head_game = dict(
    hook=dict(modifier=dict(new_head, init_cfg=begun), optim_wrapper=slow),
    seeds=[0, 1, 2],
)
methods.new_crop = dict(hook=dict(modifier=new_crop, **alone), seeds=[0, 1, 2])
methods.new_crop_game = dict(
    hook=dict(modifier=new_crop, optim_wrapper=slow), seeds=[0, 1, 2]
)

mobilefacenet = dict(
    type='mmanon.FaceClassifier',
    backbone=game.discriminator.members[2].backbone,
)
# A crop is drawn once: each picture in two versions, and mirrored.
once = dict(remember=True)

tradeoff = dict(
    methods=methods,
    detector='configs/mini/slowonly_heads.py',
    people=dict(
        **portraits, data_root='data/portraits/test', identities='data/splits/test.txt'
    ),
    attacker_faces=dict(
        **portraits,
        data_root=train_root,
        identities='data/splits/attackers.txt',
        augmentation=dict(type='mmanon.FaceAugmentation', versions=2),
    ),
    attacker_val_faces=dict(
        **portraits, data_root=train_root, identities='data/splits/attackers_val.txt'
    ),
    attackers=dict(
        mobilefacenet=dict(recognizer=mobilefacenet, views=['face', 'crop']),
        margin_pixels=dict(
            recognizer=dict(type='mmanon.MarginPixelRecognizer'), views=['crop']
        ),
        scratch=dict(
            train='configs/attackers/scratch_validated.py',
            views=['crop'],
            # Or until it gains no more.
            options={'train_cfg.max_iters': 600},
            **once,
        ),
        linker=dict(
            train='configs/attackers/linker_validated.py',
            views=['crop'],
            options={'train_cfg.max_iters': 600},
            **once,
        ),
        tuned=dict(
            train='configs/attackers/tuned_validated.py',
            views=['face', 'crop'],
            options={'train_cfg.max_iters': 200},
            **once,
        ),
        unet=dict(
            train='configs/attackers/unet_validated.py',
            recognizer='mobilefacenet',
            views=['crop'],
            options={'train_cfg.max_iters': 300},
            **once,
        ),
        nafnet=dict(
            train='configs/attackers/nafnet_validated.py',
            recognizer='mobilefacenet',
            views=['crop'],
            options={'train_cfg.max_iters': 300},
            **once,
        ),
    ),
    presets=dict(
        # A run of a game, the attacker from scratch and its test: 7 minutes on a core.
        small=dict(
            _delete_=True,
            methods=[
                *('raw', 'mask', 'downsample:8', 'blur:0.03'),
                *('learned', 'new_head', 'new_head_game'),
                *('new_crop', 'new_crop_game'),
            ],
            attackers=['mobilefacenet', 'margin_pixels', 'scratch', 'linker'],
            options={
                # Three epochs of seven; of a clip one frame to train on.
                'train_cfg.max_epochs': 3,
                'param_scheduler.0.begin': 1,
                'param_scheduler.0.T_max': 2,
                'train_dataloader.dataset.pipeline.0.clip_len': 1,
                'custom_hooks.0.phases': dict(fine_tune=75, restart=75, catch_up=10),
            },
        ),
    ),
)
del methods, mobilefacenet, name, method, new_head, new_crop, begun, slow, alone, once
del game, london, portraits, train_root
