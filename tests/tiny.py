"""Small networks and made-up data for tests."""

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.structures import InstanceData


def tiny_slowonly(num_classes: int = 4, frozen_norm: bool = False) -> dict:
    """A SlowOnly of a few channels with AVA's RoI head, as an mmaction2 config."""
    return dict(
        type='FastRCNN',
        _scope_='mmdet',
        backbone=dict(
            type='mmaction.ResNet3dSlowOnly',
            depth=18,
            base_channels=8,
            pretrained=None,
            lateral=False,
            conv1_kernel=(1, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            spatial_strides=(1, 2, 2, 1),
            norm_eval=frozen_norm,
        ),
        roi_head=dict(
            type='AVARoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor3D',
                roi_layer_type='RoIAlign',
                output_size=4,
                with_temporal_pool=True,
            ),
            bbox_head=dict(
                type='BBoxHeadAVA',
                background_class=True,
                in_channels=64,
                num_classes=num_classes,
                multilabel=True,
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


def tiny_discriminator(num_classes: int | None = 3) -> dict:
    """A shallow SphereFace on small crops, as a config."""
    head = dict(type='mmanon.SoftmaxHead')
    if num_classes is not None:
        head['num_classes'] = num_classes
    return dict(
        type='mmanon.FaceClassifier',
        backbone=dict(
            type='mmanon.SphereFaceNet',
            depth=4,
            base_channels=4,
            embed_dim=8,
            input_size=(32, 32),
        ),
        head=head,
        margin=0.3,
    )


def tiny_modifier() -> dict:
    """A learned modifier of a few channels, as a config."""
    return dict(type='mmanon.ResNetModifier', base_channels=4, num_blocks=1)


def made_up_sample(
    faces: list, size: int = 64, num_classes: int = 4, img_key: str = 'clip,0001'
) -> ActionDataSample:
    """A data sample of one person, with face boxes (frame, x1, y1, x2, y2)."""
    person = torch.tensor([[8.0, 4.0, 56.0, 60.0]])
    labels = torch.zeros(1, num_classes)
    labels[0, 1] = 1
    sample = ActionDataSample()
    sample.gt_instances = InstanceData(bboxes=person, labels=labels)
    sample.proposals = InstanceData(bboxes=person.clone())
    sample.set_metainfo(
        dict(
            img_shape=(size, size),
            img_key=img_key,
            faces=np.array(faces, np.float32).reshape(-1, 5),
        )
    )
    return sample


def made_up_batch(
    clips: int = 2, frames: int = 4, size: int = 64, seed: int = 0
) -> dict:
    """A batch of clips with one face in each frame, as a dataloader gives it."""
    generator = torch.Generator().manual_seed(seed)
    shape = (3, frames, size, size)
    faces = [[t, 20, 10, 36, 28] for t in range(frames)]
    return dict(
        inputs=[
            torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            for _ in range(clips)
        ],
        data_samples=[made_up_sample(faces, size) for _ in range(clips)],
    )


def made_up_faces(count: int = 6, size: int = 32, identities: int = 3) -> dict:
    """A face batch."""
    generator = torch.Generator().manual_seed(1)
    return dict(
        images=torch.rand(count, 3, size, size, generator=generator) * 2 - 1,
        labels=torch.arange(count) % identities,
    )
