# All figures of a modifier's model card, on people on whom nothing was trained. The
# commands:
#   python tools/dataset_converters/split_people.py data/portraits/train \
#       --test data/portraits/test --out data/splits
#   python tools/dataset_converters/portrait_attributes.py data/portraits/train \
#       data/portraits/test --info data/portraits/*_info.csv --out data/attributes.csv \
#       --skin-tone checkpoints/face_detection_yunet_2023mar.onnx
#   python tools/measure.py configs/measuring/portraits.py new_head --workers 2
# The portraits are crops already: the face box enlarged by half of its longer side on
# each side.
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
# It finds the face in the crop and aligns it, as in its training.
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
        # Photographs, from which crops are cut first.
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
        # Each picture in two versions, and mirrored, so that each is redrawn only once.
        augmentation=dict(type='mmanon.FaceAugmentation', versions=2),
    ),
    attacker_val_faces=dict(
        **portraits, data_root=train_root, identities='data/splits/attackers_val.txt'
    ),
    attackers=dict(
        mobilefacenet=dict(recognizer=aligning),
        # In the face box without alignment, and in the whole crop.
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
        # Trained from scratch on original faces.
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
    # Hand-crafted modifiers, which are measured with the same attackers.
    modifiers=dict(
        raw=dict(type='mmanon.IdentityModifier'),
        blur=dict(type='mmanon.GaussianBlurModifier', sigma=0.03),
        mask=dict(type='mmanon.SolidMaskModifier'),
    ),
    geometry=dict(crop_size=128, margin=0.5, feather=0.02),
    # People of the London set on whom the modifier was not trained.
    groups=dict(
        people=dict(
            **portraits,
            data_root=['data/portraits/train', 'data/portraits/test'],
        ),
        named='london_*',
        apart_from='data/splits/modifier.txt',
        labels='data/attributes.csv',
        # No attacker that sees the margin: both pictures of a person are from one
        # sitting, so the margin alone identifies the person.
        attackers=['mobilefacenet', 'dlib'],
    ),
    clips=['data/videos/book.mkv', 'data/videos/eat.mkv'],
    # The terms of use of second portraits are not known: they are not shown.
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
