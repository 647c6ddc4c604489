# The recognizer of recognizer_mini.py, trained from scratch on modified faces:
#   python tools/export_checkpoint.py work_dirs/mini/joint/epoch_7.pth \
#       --modifier work_dirs/mini/modifier.pth
#   python tools/train.py configs/attackers/adaptive_mini.py
_base_ = './recognizer_mini.py'

model = dict(
    learn_originals=True,
    modifier=dict(
        _delete_=True,
        **_base_.game.modifier,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/mini/modifier.pth'),
    ),
)
