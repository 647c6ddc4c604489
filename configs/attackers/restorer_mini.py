# A U-Net that is trained to undo a modifier, and the recognizer of recognizer_mini.py,
# which recognizes the restored faces. The two files of weights have to exist before:
#   python tools/train.py configs/attackers/recognizer_mini.py
#   python tools/export_checkpoint.py work_dirs/mini/joint/epoch_7.pth \
#       --modifier work_dirs/mini/modifier.pth
#   python tools/train.py configs/attackers/restorer_mini.py
_base_ = './recognizer_mini.py'

model = dict(
    _delete_=True,
    type='mmanon.RestoringRecognizer',
    margin=_base_.model.margin,
    modifier=dict(
        **_base_.game.modifier,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/mini/modifier.pth'),
    ),
    restorer=dict(type='mmanon.UNetModifier', base_channels=12, depth=3),
    recognizer=dict(
        **_base_.model,
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/recognizer_mini/iter_600.pth'
        ),
    ),
)
train_cfg = dict(max_iters=400)
