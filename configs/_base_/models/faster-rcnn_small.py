# mmdet's Faster R-CNN, small enough for a CPU, with the features of the small SlowOnly:
# the first three stages of a ResNet-18 with 3/8 of the width, at a stride of 8.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=24,
        num_stages=3,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),
        frozen_stages=-1,
        norm_eval=False,
        zero_init_residual=False,
        init_cfg=None,
    ),
    neck=None,
    rpn_head=dict(
        in_channels=96,
        feat_channels=96,
        anchor_generator=dict(scales=[4, 8, 12], strides=[8]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=96, featmap_strides=[8]),
        # A mean over the box, since an object may be held anywhere in it.
        bbox_head=dict(
            _delete_=True,
            type='ConvFCBBoxHead',
            num_reg_convs=1,
            conv_out_channels=96,
            with_avg_pool=True,
            in_channels=96,
            roi_feat_size=7,
            num_classes=12,
            reg_class_agnostic=True,
            norm_cfg=dict(type='GN', num_groups=16),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[0.0, 0.0, 0.0, 0.0],
                target_stds=[0.1, 0.1, 0.2, 0.2],
            ),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
            # The proposals are good already; the actions are the difficult part.
            loss_bbox=dict(type='L1Loss', loss_weight=0.1),
        ),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        # Boxes with a small part of the person show little of the action.
        rcnn=dict(
            assigner=dict(pos_iou_thr=0.7, neg_iou_thr=0.5, min_pos_iou=0.7),
            sampler=dict(num=64),
        ),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100)),
)
