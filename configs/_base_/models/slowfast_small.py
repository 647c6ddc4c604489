# A SlowFast of the same size as the small SlowOnly. Its slow path sees every second
# frame. Its fast path has a quarter of the width and sees all frames.
_base_ = './slowonly_small.py'

pathway = dict(
    type='resnet3d',
    depth=18,
    num_stages=3,
    out_indices=(2,),
    pretrained=None,
    zero_init_residual=False,
    conv1_stride_t=1,
    conv1_stride_s=2,
    pool1_stride_t=1,
    pool1_stride_s=2,
    spatial_strides=(1, 2, 1),
    temporal_strides=(1, 1, 1),
    dilations=(1, 1, 1),
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmaction.ResNet3dSlowFast',
        pretrained=None,
        resample_rate=2,
        speed_ratio=2,
        channel_ratio=4,
        slow_pathway=dict(
            base_channels=24,
            lateral=True,
            conv1_kernel=(1, 5, 5),
            inflate=(0, 0, 0),
            fusion_kernel=3,
            **pathway,
        ),
        fast_pathway=dict(
            base_channels=6,
            lateral=False,
            conv1_kernel=(3, 5, 5),
            inflate=(1, 1, 1),
            **pathway,
        ),
    ),
    roi_head=dict(bbox_head=dict(in_channels=96 + 24)),
)
