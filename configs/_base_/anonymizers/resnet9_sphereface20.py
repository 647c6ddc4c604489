# The paper's modifier and discriminator. One line in `_base_` adds them to any
# detector's config. The faces of the videos are read from `faces.parquet` beside the
# folder of videos (made by tools/detect_faces.py).
custom_imports = dict(imports=['mmanon'], allow_failed_imports=False)

custom_hooks = [
    dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=dict(
            type='mmanon.ResNetModifier',
            base_channels=64,
            num_blocks=9,
            start='scratch',
        ),
        discriminator=dict(
            type='mmanon.FaceClassifier',
            backbone=dict(type='mmanon.SphereFaceNet', depth=20),
            head=dict(type='mmanon.ASoftmaxHead', m=4),
        ),
        faces=dict(
            batch_size=32,
            num_workers=4,
            dataset=dict(
                type='mmanon.FaceIdentityDataset',
                data_root='data/casia_webface',
                detector=dict(type='mmanon.MTCNNFaceDetector'),
            ),
        ),
        crop_size=256,
        margin=0.6,
        adversarial_loss=dict(type='mmanon.NegatedClassifierLoss'),
        structure_loss=dict(type='mmdet.L1Loss', loss_weight=10.0),
        optim_wrapper=dict(
            modifier=dict(optimizer=dict(type='Adam', lr=3e-4, betas=(0.5, 0.999))),
            discriminator=dict(
                optimizer=dict(type='Adam', lr=3e-4, betas=(0.5, 0.999))
            ),
        ),
        phases=dict(warm_up=2000, fine_tune=0),
    ),
    dict(type='mmanon.FacePictureHook', interval=500),
]
