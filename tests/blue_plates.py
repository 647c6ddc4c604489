"""A detector of blue rectangles, as an ONNX file, and pictures that show one."""

import numpy as np
from made_videos import picture
from onnx import TensorProto, helper, save

BLUE = (30, 40, 220)
WIDTH, HEIGHT = 24, 10


def write_detector(path, size=('height', 'width'), rows=True):
    """Write an ONNX file that finds the one blue rectangle, at a score of 0.9.

    Args:
        path: The file.
        size: Height and width of its input; any by default.
        rows: Whether it answers with rows of five; else with boxes and scores.
    """
    nodes = [
        helper.make_node('Gather', ['image', 'second'], ['blue'], axis=1),
        helper.make_node('Gather', ['image', 'first'], ['red'], axis=1),
        helper.make_node('Sub', ['blue', 'red'], ['more']),
        helper.make_node('Greater', ['more', 'enough'], ['is_blue']),
        helper.make_node('Cast', ['is_blue'], ['mask'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMax', ['mask', 'all'], ['any'], keepdims=0),
        helper.make_node('Mul', ['any', 'sure'], ['score']),
    ]
    sides = {}
    for side, axes in (('x', 'rows'), ('y', 'columns')):
        line = f'line_{side}'
        nodes.append(helper.make_node('ReduceMax', ['mask', axes], [line], keepdims=0))
        for end in (0, 1):
            place, number = f'{side}{end}_place', f'{side}{end}'
            nodes += [
                helper.make_node(
                    'ArgMax', [line], [place], axis=0, keepdims=1, select_last_index=end
                ),
                helper.make_node('Cast', [place], [number], to=TensorProto.FLOAT),
            ]
        nodes.append(helper.make_node('Add', [f'{side}1', 'one'], [f'{side}2']))
        sides[side] = f'{side}0', f'{side}2'
    box = [sides['x'][0], sides['y'][0], sides['x'][1], sides['y'][1]]
    if rows:
        nodes += [
            helper.make_node('Concat', [*box, 'score'], ['row'], axis=0),
            helper.make_node('Reshape', ['row', 'row_shape'], ['output0']),
        ]
        outputs = ['output0']
    else:
        nodes += [
            helper.make_node('Concat', box, ['flat'], axis=0),
            helper.make_node('Reshape', ['flat', 'box_shape'], ['boxes']),
            helper.make_node('Identity', ['score'], ['scores']),
        ]
        outputs = ['boxes', 'scores']
    numbers = {
        'first': ([0], TensorProto.INT64),
        'second': ([2], TensorProto.INT64),
        'enough': ([0.4], TensorProto.FLOAT),
        'all': ([0, 1, 2, 3], TensorProto.INT64),
        'rows': ([0, 1, 2], TensorProto.INT64),
        'columns': ([0, 1, 3], TensorProto.INT64),
        'sure': ([0.9], TensorProto.FLOAT),
        'one': ([1.0], TensorProto.FLOAT),
        'row_shape': ([1, 1, 5], TensorProto.INT64),
        'box_shape': ([1, 4], TensorProto.INT64),
    }
    graph = helper.make_graph(
        nodes,
        'plates',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, None) for x in outputs],
        [
            helper.make_tensor(name, kind, [len(values)], values)
            for name, (values, kind) in numbers.items()
        ],
    )
    opset = [helper.make_opsetid('', 18)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))
    return path


def is_blue(image):
    """Which pixels of an RGB picture are about as blue as the rectangle."""
    image = image.astype(int)
    return (image[..., 2] > 130) & (image[..., :2] < 110).all(-1)


def picture_with_plate(t):
    """The red square of :func:`made_videos.picture`, and below it a blue one."""
    image = np.array(picture(t))
    left = 60 - 2 * t
    image[48 : 48 + HEIGHT, left : left + WIDTH] = BLUE
    return image
