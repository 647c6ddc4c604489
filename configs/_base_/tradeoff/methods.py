# The hand-crafted methods at their strengths, faces as they are, and the modifier that
# the anonymizing config trains. Of crops of 48 pixels and more.
tradeoff = dict(
    methods=dict(
        raw=dict(
            hook=dict(modifier=dict(type='mmanon.IdentityModifier')), seeds=[0, 1, 2]
        ),
        downsample=dict(
            hook=dict(modifier=dict(type='mmanon.DownsampleModifier')),
            strength='modifier.size',
            strengths=[8, 16, 24],
        ),
        blur=dict(
            hook=dict(modifier=dict(type='mmanon.GaussianBlurModifier')),
            strength='modifier.sigma',
            strengths=[0.03, 0.06, 0.12],
        ),
        noise=dict(
            hook=dict(modifier=dict(type='mmanon.GaussianNoiseModifier')),
            strength='modifier.std',
            strengths=[0.25, 0.5, 1.0],
        ),
        mask=dict(hook=dict(modifier=dict(type='mmanon.SolidMaskModifier'))),
        super_pixels=dict(
            hook=dict(modifier=dict(type='mmanon.SuperPixelModifier')),
            strength='modifier.num_segments',
            strengths=[30],
        ),
        edges=dict(hook=dict(modifier=dict(type='mmanon.EdgeMapModifier'))),
        learned=dict(seeds=[0, 1, 2]),
    ),
)
