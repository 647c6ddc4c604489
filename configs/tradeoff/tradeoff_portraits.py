# The trade-off before attackers that see the whole head, practise and restore. The
# detector's clips are those of tradeoff_photos.py; faces are portraits, shared out so
# that M, the attackers and the test have people of their own:
#   python tools/dataset_converters/split_people.py data/portraits/train \
#       --test data/portraits/test --out data/splits
#   python tools/dataset_converters/portrait_attributes.py data/portraits/train \
#       --info data/portraits/*_info.csv --out data/attributes.csv \
#       --skin-tone checkpoints/face_detection_yunet_2023mar.onnx
#   python tools/tradeoff.py configs/tradeoff/tradeoff_portraits.py --preset small
_base_ = './tradeoff_photos.py'

aligned = dict(
    type='mmanon.FaceIdentityDataset',
    detector=dict(
        type='mmanon.YuNetFaceDetector',
        weights='checkpoints/face_detection_yunet_2023mar.onnx',
    ),
)
train_root = 'data/portraits/train'
# Of a second portrait the terms are not known: attackers may, M may not learn from it.
game = _base_.custom_hooks[0]
game.faces.dataset = dict(
    **aligned,
    data_root=train_root,
    identities='data/splits/modifier.txt',
    skip=['second.*'],
    augmentation=dict(type='mmanon.FaceAugmentation'),
)
game.val_faces.dataset = dict(
    **aligned,
    data_root=train_root,
    identities='data/splits/modifier.txt',
    skip=['second.*'],
)
custom_hooks = [game, _base_.custom_hooks[1]]

methods = _base_.tradeoff.methods
methods.pixelate = dict(
    hook=dict(
        modifier=dict(type='mmanon.PixelateModifier'),
        discriminator=None,
        adversarial_loss=None,
        structure_loss=None,
        optim_wrapper=None,
    ),
    strength='modifier.blocks',
    strengths=[8, 16],
)

tradeoff = dict(
    methods=methods,
    people=dict(
        _delete_=True,
        **aligned,
        data_root='data/portraits/test',
        identities='data/splits/test.txt',
    ),
    attacker_faces=dict(
        **aligned, data_root=train_root, identities='data/splits/attackers.txt'
    ),
    attacker_val_faces=dict(
        **aligned, data_root=train_root, identities='data/splits/attackers_val.txt'
    ),
    # Whom the attackers have practised on, of whom something is known.
    attributes=dict(
        dataset=dict(
            **aligned, data_root=train_root, identities='data/splits/attackers.txt'
        ),
        labels='data/attributes.csv',
        recognizer=_base_.tradeoff.attackers.mobilefacenet.recognizer,
    ),
    attackers=dict(
        _delete_=True,
        # As it is, in every view.
        mobilefacenet=dict(
            recognizer=_base_.tradeoff.attackers.mobilefacenet.recognizer,
            views=['face', 'crop', 'head'],
        ),
        # Another one that has seen no modified face.
        sphereface=dict(
            train_once='configs/attackers/scratch_validated.py',
            options={'model.learn_originals': False},
        ),
        margin_pixels=dict(
            recognizer=dict(type='mmanon.MarginPixelRecognizer'),
            views=['crop', 'head'],
        ),
        scratch=dict(
            train='configs/attackers/scratch_validated.py',
            views=['face', 'crop', 'head'],
        ),
        linker=dict(train='configs/attackers/linker_validated.py', views=['crop']),
        tuned=dict(
            train='configs/attackers/tuned_validated.py', views=['face', 'crop']
        ),
        unet=dict(
            train='configs/attackers/unet_validated.py',
            recognizer=['mobilefacenet', 'sphereface'],
            views=['face', 'crop'],
        ),
        nafnet=dict(
            train='configs/attackers/nafnet_validated.py',
            recognizer=['mobilefacenet', 'sphereface'],
            views=['face', 'crop'],
        ),
    ),
    presets=dict(
        small=dict(
            _delete_=True,
            methods=['raw', 'mask', 'blur:0.03', 'pixelate:8', 'blur:0.12'],
            seeds=[0],
            attackers=[
                *('mobilefacenet', 'sphereface', 'margin_pixels'),
                *('scratch', 'linker', 'tuned', 'unet', 'nafnet'),
            ],
        ),
    ),
)
del game, methods
