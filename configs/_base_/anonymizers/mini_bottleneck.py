# A bottleneck modifier against several discriminators for the mini benchmark, with
# crops of the whole head. One recognizer sees the face box and one the whole crop; they
# restart in turn. The third is MobileFaceNet, against its similarity; its weights are
# given by `--cfg-options
# custom_hooks.0.discriminator.members.2.backbone.init_cfg.checkpoint=FILE`.
adam = dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999)))
scratch = dict(
    type='mmanon.FaceClassifier',
    backbone=dict(
        type='mmanon.SphereFaceNet',
        depth=4,
        base_channels=24,
        embed_dim=128,
        input_size=(48, 48),
    ),
    head=dict(type='mmanon.CosFaceHead', s=16.0, m=0.1),
)
custom_hooks = [
    dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=dict(
            type='mmanon.BottleneckModifier',
            size=48,
            code_size=12,
            look_size=4,
            # Small weights, so that the detector's loss, 0.3 at most, counts for more.
            rate_weight=0.002,
            target_weight=0.5,
            cover_weight=0.002,
            hull_weight=0.03,
            skin_guard=0.3,
            margin=0.5,
        ),
        discriminator=dict(
            type='mmanon.DiscriminatorEnsemble',
            against='most_confident',
            members=[
                scratch,
                dict(scratch, view='crop'),
                dict(
                    type='mmanon.FaceClassifier',
                    backbone=dict(
                        type='mmanon.MobileFaceNet',
                        init_cfg=dict(
                            type='Pretrained',
                            checkpoint='checkpoints/mobilefacenet_ms1m.pt',
                        ),
                    ),
                ),
            ],
        ),
        faces=dict(
            batch_size=10,
            num_workers=0,
            dataset=dict(
                type='mmanon.FaceIdentityDataset',
                data_root='data/mini_heads/faces/train',
            ),
        ),
        val_faces=dict(
            dataset=dict(
                type='mmanon.FaceIdentityDataset',
                data_root='data/mini_heads/faces/val',
            ),
        ),
        crop_size=64,
        margin=0.5,
        adversarial_loss=dict(
            type='mmanon.AdversarialLossSum',
            losses=[
                dict(
                    type='mmanon.UniformTargetLoss',
                    members=[0, 1],
                    shrinks=[1, 2],
                    loss_weight=0.03,
                ),
                dict(
                    type='mmanon.EmbeddingSimilarityLoss',
                    members=[2],
                    shrinks=[1, 2],
                    loss_weight=0.1,
                ),
            ],
        ),
        structure_loss=dict(type='mmdet.L1Loss', loss_weight=0.0),
        temporal_loss=dict(type='mmanon.FlickerLoss', loss_weight=0.1),
        optim_wrapper=dict(
            modifier=dict(
                optimizer=dict(type='Adam', lr=2e-3, betas=(0.5, 0.999)),
                clip_grad=dict(max_norm=5.0),
            ),
            discriminator=[adam, adam],
        ),
        # Recognizers restart in turn. After the game, only A is trained. There is no
        # warm-up: during a warm-up, no loss makes M keep what A needs.
        phases=dict(fine_tune=100, restart=90, catch_up=20),
    ),
    dict(type='mmanon.FacePictureHook', interval=100),
]
del scratch, adam
