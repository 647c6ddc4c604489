# A smaller modifier against MobileFaceNet with a CosFace head, and a bounded objective.
# It can be trained on a CPU. Give trained weights of MobileFaceNet by
#   --cfg-options custom_hooks.0.discriminator.backbone.init_cfg.type=Pretrained \
#     custom_hooks.0.discriminator.backbone.init_cfg.checkpoint=mobilefacenet_ms1m.pt
custom_imports = dict(imports=['mmanon'], allow_failed_imports=False)

custom_hooks = [
    dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=dict(type='mmanon.ResNetModifier', base_channels=32, num_blocks=6),
        discriminator=dict(
            type='mmanon.FaceClassifier',
            backbone=dict(type='mmanon.MobileFaceNet'),
            head=dict(type='mmanon.CosFaceHead', s=30.0, m=0.2),
        ),
        faces=dict(
            batch_size=16,
            num_workers=0,
            dataset=dict(
                type='mmanon.FaceIdentityDataset',
                data_root='data/faces',
                cache_dir='data/faces_aligned',
                detector=dict(type='mmanon.MTCNNFaceDetector'),
            ),
        ),
        crop_size=112,
        margin=0.3,
        adversarial_loss=dict(type='mmanon.UniformTargetLoss'),
        structure_loss=dict(type='mmdet.L1Loss', loss_weight=10.0),
        phases=dict(warm_up=15),
    ),
    dict(type='mmanon.FacePictureHook', interval=15),
]
