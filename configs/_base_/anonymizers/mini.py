# The game at the size of the mini benchmark: a small ResNet modifier on crops of 48
# pixels against a shallow SphereFace, and the bounded objective "could be anyone".
custom_hooks = [
    dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=dict(type='mmanon.ResNetModifier', base_channels=8, num_blocks=3),
        discriminator=dict(
            type='mmanon.FaceClassifier',
            backbone=dict(
                type='mmanon.SphereFaceNet',
                depth=4,
                base_channels=32,
                embed_dim=128,
                input_size=(48, 48),
            ),
            head=dict(type='mmanon.CosFaceHead', s=16.0, m=0.1),
        ),
        faces=dict(
            batch_size=32,
            num_workers=0,
            dataset=dict(
                type='mmanon.FaceIdentityDataset', data_root='data/mini/faces/train'
            ),
        ),
        val_faces=dict(
            dataset=dict(
                type='mmanon.FaceIdentityDataset', data_root='data/mini/faces/val'
            ),
        ),
        crop_size=48,
        margin=0.15,
        # Small weights, so that the detector's loss counts for more.
        adversarial_loss=dict(type='mmanon.UniformTargetLoss', loss_weight=0.25),
        structure_loss=dict(type='mmdet.L1Loss', loss_weight=1.0),
        optim_wrapper=dict(
            modifier=dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999))),
            discriminator=dict(
                optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999))
            ),
        ),
        # M comes to rest as the detector's rate falls, so that the detector can follow.
        param_scheduler=dict(
            modifier=[
                dict(
                    type='CosineAnnealingLR',
                    by_epoch=True,
                    eta_min=1e-5,
                    convert_to_iter_based=True,
                )
            ],
            discriminator=[
                dict(
                    type='CosineAnnealingLR',
                    by_epoch=True,
                    eta_min=3e-4,
                    convert_to_iter_based=True,
                )
            ],
        ),
        phases=dict(warm_up=60),
    ),
    dict(type='mmanon.FacePictureHook', interval=75),
]
