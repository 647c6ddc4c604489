# A SlowOnly small enough for a CPU: the first three stages of a ResNet-18 with 3/8 of
# the width, at a stride of 8, so that details of a few pixels are kept.
model = dict(
    type='FastRCNN',
    _scope_='mmdet',
    backbone=dict(
        type='mmaction.ResNet3dSlowOnly',
        depth=18,
        base_channels=24,
        num_stages=3,
        out_indices=(2,),
        pretrained=None,
        lateral=False,
        zero_init_residual=False,
        conv1_kernel=(1, 5, 5),
        conv1_stride_t=1,
        conv1_stride_s=2,
        pool1_stride_t=1,
        pool1_stride_s=2,
        spatial_strides=(1, 2, 1),
        temporal_strides=(1, 1, 1),
        dilations=(1, 1, 1),
        inflate=(0, 0, 0),
    ),
    roi_head=dict(
        type='AVARoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor3D',
            roi_layer_type='RoIAlign',
            output_size=8,
            # SlowOnly's usual stride is 16.
            featmap_stride=8,
            with_temporal_pool=True,
        ),
        bbox_head=dict(
            type='BBoxHeadAVA',
            background_class=True,
            in_channels=96,
            num_classes=13,
            multilabel=True,
            spatial_pool_type='avg',
            dropout_ratio=0.0,
        ),
    ),
    data_preprocessor=dict(
        type='mmaction.ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW',
    ),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(
                type='MaxIoUAssignerAVA',
                pos_iou_thr=0.9,
                neg_iou_thr=0.9,
                min_pos_iou=0.9,
            ),
            sampler=dict(
                type='RandomSampler',
                num=32,
                pos_fraction=1,
                neg_pos_ub=-1,
                add_gt_as_proposals=True,
            ),
            pos_weight=1.0,
        )
    ),
    test_cfg=dict(rcnn=None),
)
