# The game for the mini benchmark: a small ResNet modifier on crops of 56 pixels, a
# shallow SphereFace as D, and the bounded objective UniformTargetLoss.
custom_hooks = [
    dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=dict(
            type='mmanon.ResNetModifier',
            base_channels=8,
            num_blocks=3,
            outer_kernel=3,
            start='scratch',
        ),
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
        crop_size=56,
        margin=0.15,
        # Small weights, so that the detector's loss counts for more.
        adversarial_loss=dict(type='mmanon.UniformTargetLoss', loss_weight=0.013),
        structure_loss=dict(type='mmdet.L1Loss', loss_weight=0.25),
        optim_wrapper=dict(
            modifier=dict(optimizer=dict(type='Adam', lr=2e-3, betas=(0.5, 0.999))),
            discriminator=dict(
                optimizer=dict(type='Adam', lr=2e-3, betas=(0.5, 0.999))
            ),
        ),
        param_scheduler=dict(
            discriminator=[
                dict(
                    type='CosineAnnealingLR',
                    by_epoch=False,
                    T_max=400,
                    end=400,
                    eta_min=2e-4,
                )
            ],
        ),
        discriminator_steps=2,
        # D is trained on originals first; after the game, only A is trained.
        phases=dict(warm_up=100, fine_tune=300),
    ),
    dict(type='mmanon.FacePictureHook', interval=100),
]
