"""Small networks and made-up data for tests."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmanon.structures.face_table import Faces, FaceTableWriter


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
                topk=(1,),
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


def write_tiny_ava(root: Path, clips: int = 4, frames: int = 8, size: int = 64) -> None:
    """Write clips of noise with one person and one face each, as AVA has them."""
    random = np.random.default_rng(0)
    (root / 'annotations').mkdir(parents=True)
    face = np.array([[20, 10, 36, 28]], np.float32) / size
    rows, proposals = [], {}
    with FaceTableWriter(root / 'faces.parquet', detector='made up') as table:
        for clip in range(clips):
            video = f'clip{clip}'
            folder = root / 'rawframes' / video
            folder.mkdir(parents=True)
            for frame in range(1, frames + 1):
                image = random.integers(0, 256, (size, size, 3), np.uint8)
                cv2.imwrite(str(folder / f'img_{frame:05}.jpg'), image)
                table.add(
                    video,
                    frame,
                    Faces(
                        boxes=face,
                        scores=np.ones(1, np.float32),
                        landmarks=np.full((1, 5, 2), np.nan, np.float32),
                        tracks=np.zeros(1, np.int32),
                    ),
                )
            rows.append(f'{video},4,0.125,0.0625,0.875,0.9375,{clip % 3 + 1},0')
            proposals[f'{video},0004'] = np.array(
                [[0.125, 0.0625, 0.875, 0.9375, 0.99]], np.float32
            )
    (root / 'annotations' / 'clips.csv').write_text('\n'.join(rows) + '\n')
    np.savez(root / 'annotations' / 'proposals.npz', **proposals)
    labels = ''.join(
        f'item {{\n  name: "action {index}"\n  id: {index}\n}}\n'
        for index in range(1, 4)
    )
    (root / 'annotations' / 'actions.pbtxt').write_text(labels)


def write_tiny_faces(root: Path, identities: int = 3, images: int = 4) -> None:
    """Write face crops of noise around one colour an identity."""
    random = np.random.default_rng(1)
    for identity in range(identities):
        folder = root / f'person{identity}'
        folder.mkdir(parents=True)
        colour = random.integers(60, 200, 3)
        for index in range(images):
            image = colour + random.normal(0, 20, (32, 32, 3))
            image = image.clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f'{index}.png'), image)


def tiny_config(root: Path, work_dir: Path, **hook) -> Config:
    """A config that plays the game on :func:`write_tiny_ava`'s clips."""
    annotations = root / 'annotations'
    pipeline = [
        dict(type='SampleAVAFrames', clip_len=2, frame_interval=2),
        dict(type='RawFrameDecode'),
        dict(type='RandomRescale', scale_range=(64, 72)),
        dict(type='RandomCrop', size=64),
        dict(type='Flip', flip_ratio=0.5),
        dict(type='FormatShape', input_format='NCTHW', collapse=True),
        dict(type='PackActionInputs'),
    ]
    test_pipeline = [
        dict(type='SampleAVAFrames', clip_len=2, frame_interval=2, test_mode=True),
        dict(type='RawFrameDecode'),
        dict(type='Resize', scale=(-1, 64)),
        dict(type='FormatShape', input_format='NCTHW', collapse=True),
        dict(type='PackActionInputs'),
    ]
    dataset = dict(
        type='AVADataset',
        ann_file=str(annotations / 'clips.csv'),
        label_file=str(annotations / 'actions.pbtxt'),
        proposal_file=str(annotations / 'proposals.npz'),
        data_prefix=dict(img=str(root / 'rawframes')),
        num_classes=4,
        fps=1,
        timestamp_start=1,
        timestamp_end=9,
        start_index=1,
        pipeline=pipeline,
    )
    evaluator = dict(
        type='AVAMetric',
        exclude_file=None,
        ann_file=dataset['ann_file'],
        label_file=dataset['label_file'],
        num_classes=4,
    )
    test_dataset = dict(dataset, pipeline=test_pipeline, test_mode=True)
    test_dataloader = dict(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=test_dataset,
    )
    faces = dict(
        batch_size=6,
        num_workers=0,
        dataset=dict(type='mmanon.FaceIdentityDataset', data_root=str(root / 'people')),
    )
    anonymize = dict(
        type='mmanon.AdversarialAnonymizationHook',
        modifier=tiny_modifier(),
        discriminator=tiny_discriminator(num_classes=None),
        faces=faces,
        val_faces=faces,
        crop_size=32,
        margin=0.3,
    )
    config = Config(
        dict(
            default_scope='mmaction',
            model=tiny_slowonly(),
            work_dir=str(work_dir),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dataset,
            ),
            test_dataloader=test_dataloader,
            val_dataloader=test_dataloader,
            test_evaluator=evaluator,
            val_evaluator=evaluator,
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1),
            val_cfg=dict(type='ValLoop'),
            test_cfg=dict(type='TestLoop'),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
            param_scheduler=[
                dict(type='MultiStepLR', by_epoch=True, milestones=[1], gamma=0.5)
            ],
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1),
                checkpoint=dict(type='CheckpointHook', interval=1),
            ),
            custom_hooks=[dict(anonymize, **hook)],
            randomness=dict(seed=3),
            log_level='WARNING',
        )
    )
    return config
