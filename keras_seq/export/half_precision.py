"""Store the weights of an ONNX file in float16, and each of them once.

ONNX Runtime computes in float32 here: a `Cast` follows each weight, and is
applied once, when the file is loaded. A converter may write a matrix that is
used twice (token embedding and output weights) two times, the second time
transposed: it is replaced by a `Transpose` of the first.

    W, float32  ->  W_half, float16, and a node  W = Cast(W_half)
"""

import numpy as np

LEAST = 256  # numbers: smaller weights and constants stay as they are


def share_weights(graph):
    """Keep one copy of each weight of an `onnx.GraphProto`, in place."""
    from onnx import helper, numpy_helper

    first, nodes, removed = {}, [], []
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.size < LEAST:
            continue
        same = first.get(_content(array))
        transposed = None
        if array.ndim == 2:
            transposed = first.get(_content(array.T))
        if same is not None:
            nodes.append(helper.make_node("Identity", [same], [tensor.name]))
        elif transposed is not None:
            nodes.append(
                helper.make_node(
                    "Transpose", [transposed], [tensor.name], perm=[1, 0]
                )
            )
        else:
            first[_content(array)] = tensor.name
            continue
        removed.append(tensor.name)
    _replace(graph, removed, [], nodes)


def halve_weights(graph):
    """Store the float32 weights of a graph and its loops as float16."""
    from onnx import AttributeProto, TensorProto, helper, numpy_helper

    nodes, removed, halves = [], [], []
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < LEAST:
            continue
        name = f"{tensor.name}_half"
        half = array.astype(np.float16)
        halves.append(numpy_helper.from_array(half, name))
        nodes.append(
            helper.make_node(
                "Cast", [name], [tensor.name], to=TensorProto.FLOAT
            )
        )
        removed.append(tensor.name)
    _replace(graph, removed, halves, nodes)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                halve_weights(attribute.g)


def _content(array):
    return array.shape, array.dtype.str, array.tobytes()


def _replace(graph, removed, initializers, nodes):
    """Remove weights by name, and put other weights and nodes in front."""
    kept = [x for x in graph.initializer if x.name not in set(removed)]
    after = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend([*kept, *initializers])
    graph.node.extend([*nodes, *after])
