# A detector is trained on clips whose heads are redrawn by the package's modifier
# `new_head`; the modifier is not trained. It needs only the faces of the clips.
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
