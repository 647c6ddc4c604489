# The trade-off on the mini benchmark with photographs of people. D is MobileFaceNet,
# dlib's recognizer an attacker that was never in the game:
#   python tools/make_mini_benchmark.py --out data/mini_photos --faces PHOTOGRAPHS
#   python tools/tradeoff.py configs/tradeoff/tradeoff_photos.py --preset small
# `checkpoints/` holds weights of MobileFaceNet, and of dlib from http://dlib.net/files/.
_base_ = [
    '../mini/slowonly_resnet-mobilefacenet_photos.py',
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
            optim_wrapper=None,
        )
del method, name
# Less of a person may stay.
methods.learned_weight = dict(
    hook=dict(), strength='structure_loss.loss_weight', strengths=[1.0, 2.5]
)

tradeoff = dict(
    methods=methods,
    detector='configs/mini/slowonly_photos.py',
    people=dict(
        type='mmanon.FaceIdentityDataset', data_root='data/mini_photos/faces/test'
    ),
    attackers=dict(
        # As D was before the game.
        mobilefacenet=dict(
            recognizer=dict(
                type='mmanon.FaceClassifier',
                backbone=_base_.custom_hooks[0].discriminator.backbone,
            )
        ),
        unseen=dict(
            recognizer=dict(
                type='mmanon.DlibRecognizer',
                weights='checkpoints/dlib_face_recognition_resnet_model_v1.dat',
            )
        ),
        adaptive=dict(train='configs/attackers/adaptive_mini.py'),
        restorer=dict(train='configs/attackers/restorer_mini.py', recognizer='unseen'),
    ),
    presets=dict(small=dict(attackers=['mobilefacenet', 'unseen'])),
)
del methods
