# A detector learns from clips whose heads the modifier `new_head` of the package has
# drawn; the modifier stays as it is. Faces of the clips are all that it needs.
custom_hooks = [
    dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=dict(
            type='mmanon.InpaintingModifier',
            size=128,
            init_cfg=dict(type='Pretrained', checkpoint='mmanon://new_head'),
        ),
        discriminator=None,
        adversarial_loss=None,
        structure_loss=None,
        optim_wrapper=None,
        faces=None,
        crop_size=128,
        margin=0.5,
        feather=0.02,
    )
]
