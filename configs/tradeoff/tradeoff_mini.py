# The trade-off on the mini benchmark's drawn people:
#   python tools/make_mini_benchmark.py --out data/mini
#   python tools/tradeoff.py configs/tradeoff/tradeoff_mini.py --preset small
# Without the preset all methods, strengths, seeds and attackers.
_base_ = [
    '../mini/slowonly_resnet-sphereface_mini.py',
    '../_base_/tradeoff/mini.py',
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
    presets=dict(small=dict(attackers=['discriminator', 'unseen'])),
)
