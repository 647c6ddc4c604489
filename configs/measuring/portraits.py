# All figures of a modifier's model card, on people who took part in nothing. What is
# needed:
#   python tools/dataset_converters/split_people.py data/portraits/train \
#       --test data/portraits/test --out data/splits
#   python tools/dataset_converters/portrait_attributes.py data/portraits/train \
#       data/portraits/test --info data/portraits/*_info.csv --out data/attributes.csv \
#       --skin-tone checkpoints/face_detection_yunet_2023mar.onnx
#   python tools/measure.py configs/measuring/portraits.py new_head --workers 2
# The portraits are crops already, the face box enlarged by half its longer side.
yunet = dict(
    type='mmanon.YuNetFaceDetector',
    weights='checkpoints/face_detection_yunet_2023mar.onnx',
    score_threshold=0.5,
)
portraits = dict(type='mmanon.FaceIdentityDataset', image_margin=0.5)
train_root = 'data/portraits/train'

mobilefacenet = dict(
    type='mmanon.FaceClassifier',
    backbone=dict(
        type='mmanon.MobileFaceNet',
        init_cfg=dict(
            type='Pretrained', checkpoint='checkpoints/mobilefacenet_ms1m.pt'
        ),
    ),
)
# It finds and aligns the face itself, as it was trained.
aligning = dict(
    type='mmanon.AligningRecognizer', recognizer=mobilefacenet, detector=yunet
)
larger = {'model.recognizer.backbone.input_size': [64, 64]}

measured = dict(
    people=dict(
        portraits=dict(
            **portraits,
            data_root='data/portraits/test',
            identities='data/splits/test.txt',
        ),
        # Photographs: crops are cut from them first.
        orl=dict(
            type='mmanon.FaceIdentityDataset',
            data_root='data/faces/orl',
            detector=yunet,
            identities='s37 s38 s39 s4 s40 s5 s6 s7 s8 s9'.split(),
        ),
        lfw10=dict(
            type='mmanon.FaceIdentityDataset',
            data_root='data/faces/lfw10',
            detector=yunet,
            identities=[
                'Hugo_Chavez',
                'Jacques_Chirac',
                'Tony_Blair',
                'Vladimir_Putin',
            ],
        ),
    ),
    attacker_faces=dict(
        **portraits,
        data_root=train_root,
        identities='data/splits/attackers.txt',
        # Each in two versions, and mirrored: what is drawn of them is drawn once.
        augmentation=dict(type='mmanon.FaceAugmentation', versions=2),
    ),
    attacker_val_faces=dict(
        **portraits, data_root=train_root, identities='data/splits/attackers_val.txt'
    ),
    attackers=dict(
        mobilefacenet=dict(recognizer=aligning),
        # Of the face box as it is, and of all of the crop.
        mobilefacenet_box=dict(recognizer=mobilefacenet, views=['face', 'crop']),
        dlib=dict(
            recognizer=dict(
                type='mmanon.DlibRecognizer',
                weights='checkpoints/dlib_face_recognition_resnet_model_v1.dat',
            ),
            optional=True,
        ),
        margin_pixels=dict(
            recognizer=dict(type='mmanon.MarginPixelRecognizer'), views=['crop']
        ),
        # From scratch, on faces as they are.
        sphereface=dict(
            train_once='configs/attackers/scratch_validated.py',
            views=['face', 'crop'],
            options={'model.learn_originals': False, **larger},
        ),
        scratch=dict(
            train='configs/attackers/scratch_validated.py',
            views=['face', 'crop'],
            options=larger,
            beside='sphereface',
        ),
        linker=dict(
            train='configs/attackers/linker_validated.py',
            views=['crop'],
            options=larger,
            beside='sphereface',
        ),
        tuned=dict(
            train='configs/attackers/tuned_validated.py',
            recognizer=aligning,
            beside='mobilefacenet',
        ),
        tuned_whole=dict(
            train='configs/attackers/tuned_validated.py',
            recognizer=mobilefacenet,
            views=['crop'],
        ),
        unet=dict(
            train='configs/attackers/unet_validated.py',
            recognizer=['mobilefacenet', 'sphereface'],
            views=['face'],
        ),
        nafnet=dict(
            train='configs/attackers/nafnet_validated.py',
            recognizer=['mobilefacenet', 'sphereface'],
            views=['face'],
        ),
    ),
    detector=yunet,
    # Hand-crafted, to be measured by the same attackers.
    modifiers=dict(
        raw=dict(type='mmanon.IdentityModifier'),
        blur=dict(type='mmanon.GaussianBlurModifier', sigma=0.03),
        mask=dict(type='mmanon.SolidMaskModifier'),
    ),
    geometry=dict(crop_size=128, margin=0.5, feather=0.02),
    # People of the London set from whom the modifier has not learned.
    groups=dict(
        people=dict(
            **portraits,
            data_root=['data/portraits/train', 'data/portraits/test'],
        ),
        named='london_*',
        apart_from='data/splits/modifier.txt',
        labels='data/attributes.csv',
        # Of the margin the two pictures of a person, of one sitting, tell all.
        attackers=['mobilefacenet', 'dlib'],
    ),
    clips=['data/videos/book.mkv', 'data/videos/eat.mkv'],
    # Of second portraits the terms are not known.
    sheets=dict(people='portraits', skip=['second.*'], count=40),
    presets=dict(
        quick=dict(
            people=['portraits'],
            attackers=['mobilefacenet', 'sphereface', 'scratch', 'tuned'],
            parts=['kept', 'recognizers', 'attackers', 'motion', 'sheets'],
            options={'train_cfg.max_iters': 200},
        ),
    ),
)
del yunet, portraits, mobilefacenet, aligning, larger
