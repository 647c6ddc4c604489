# The attackers of tradeoff_portraits.py before the 14 people of the splits that figures
# have been compared on: M learns from the first thirty of the AT&T people and the first
# six of Labeled Faces in the Wild, attackers from portraits, the others are tested.
# `data/photos` holds both sets, `orl` and `lfw10`.
_base_ = './tradeoff_portraits.py'

game = _base_.custom_hooks[0]
game.faces.dataset = dict(
    type='mmanon.FaceIdentityDataset', data_root='data/mini_photos/faces/train'
)
game.val_faces.dataset = dict(
    type='mmanon.FaceIdentityDataset', data_root='data/mini_photos/faces/val'
)
custom_hooks = [game, _base_.custom_hooks[1]]

tradeoff = dict(
    people=dict(
        _delete_=True,
        type='mmanon.FaceIdentityDataset',
        detector=_base_.aligned.detector,
        data_root=['data/photos/orl', 'data/photos/lfw10'],
        # By the order of names, the last ten and four.
        identities=[f'0/s{number}' for number in (37, 38, 39, 4, 40, 5, 6, 7, 8, 9)]
        + ['1/Hugo_Chavez', '1/Jacques_Chirac', '1/Tony_Blair', '1/Vladimir_Putin'],
    ),
)
del game
