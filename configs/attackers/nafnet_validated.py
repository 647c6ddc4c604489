# As unet_validated.py, with a small NAFNet, which restores better than a U-Net of this
# size.
_base_ = './unet_validated.py'

model = dict(
    restorer=dict(
        _delete_=True,
        type='mmanon.NAFNetRestorer',
        base_channels=16,
        encoder_blocks=[1, 1, 2],
        middle_blocks=2,
        decoder_blocks=[1, 1, 1],
    ),
)
