# A U-Net that is trained to undo the modifier of `resnet6_mobilefacenet.py` on
# photographs, and FaceNet, which is not part of the game, to recognize the restored
# faces:
#   python tools/train.py configs/attackers/restorer_facenet_photos.py \
#       --cfg-options model.modifier.init_cfg.checkpoint=modifier.pth
_base_ = './adaptive_sphereface20_photos.py'

model = dict(
    _delete_=True,
    type='mmanon.RestoringRecognizer',
    margin=_base_.model.margin,
    modifier=_base_.model.modifier,
    restorer=dict(type='mmanon.UNetModifier', base_channels=32, depth=4),
    recognizer=dict(
        type='mmanon.FaceClassifier',
        backbone=dict(type='mmanon.FaceNet', pretrained='vggface2'),
    ),
)
