"""Model parallelism: which axis of each weight is split among the devices.

`keras.distribution.DataParallel` copies the model to every device and splits
the batch. A model that does not fit on one device is split itself, by
`keras.distribution.ModelParallel`, which needs a layout for each large weight:
the axis of the weight that is split. An attention layer is split by its heads,
and a feed-forward network by its inner width, so that each device computes its
own part of a sublayer and the parts are added once at the end.

    query, key, value   (D, H, K)     split by H
    attention output    (H, K, D)     split by H
    first dense layer   (D, F)        split by F
    second dense layer  (F, D)        split by F
    token embedding     (V, D)        split by D

Shapes: D width, H heads, K head width, F inner width, V vocabulary.
Paper: Shoeybi et al. (2019), arXiv:1909.08053, section 3.
Differs from the paper: the token embedding is split by its width, because the
    number of devices need not divide the size of the vocabulary.

`Run` takes from here the distribution of its option --devices, and which of
several processes writes its files. docs/distribution.md describes both.
"""

import contextlib

import keras


def layout_map(device_mesh, axis="model"):
    """Return the layouts of `Transformer`, `GPT`, `BERT` and `ViT`.

    Args:
        device_mesh: `keras.distribution.DeviceMesh`, one of whose axes has the
            name `axis`. The number of devices along it must divide the number
            of heads, the width and the inner width of the model.
        axis: str, the axis of the mesh among whose devices the weights are
            split. Default "model".
    Returns:
        `keras.distribution.LayoutMap`, for `ModelParallel`.
    Raises:
        ValueError: if the mesh has no axis of that name.
    Example:
        >>> mesh = keras.distribution.DeviceMesh(
        ...     (1, 1), ["batch", "model"], ["cpu:0"])
        >>> layouts = keras_seq.training.layout_map(mesh)
        >>> layouts["gpt/transformer_encoder/self_attention/key/kernel"].axes
        (None, 'model', None)
    """
    if axis not in device_mesh.axis_names:
        raise ValueError(
            "`axis` must be the name of an axis of the mesh. Received "
            f"axis={axis!r}, a mesh with the axes {device_mesh.axis_names}."
        )
    layouts = keras.distribution.LayoutMap(device_mesh)
    layouts[".*attention/(query|key|value)/kernel"] = (None, axis, None)
    layouts[".*attention/(query|key|value)/bias"] = (axis, None)
    layouts[".*attention/attention_output/kernel"] = (axis, None, None)
    layouts[".*/intermediate_dense/kernel"] = (None, axis)
    layouts[".*/intermediate_dense/bias"] = (axis,)
    layouts[".*/output_dense/kernel"] = (axis, None)
    layouts[".*token_embedding.*/embeddings"] = (None, axis)
    return layouts


def make_distribution(devices):
    """Return the distribution over all devices for a value of --devices.

    Args:
        devices: None, "data" or "model": one device, `DataParallel`, or
            `ModelParallel` with `layout_map`.
    Returns:
        `keras.distribution.Distribution`, or None if `devices` is None.
    Raises:
        ValueError: if `devices` is given and the backend is not JAX.
    """
    if devices is None:
        return None
    if keras.backend.backend() != "jax":
        raise ValueError(
            "`devices` must not be given on this backend: keras.distribution "
            f"trains on several devices on JAX only. Received {devices=}, the "
            f"backend {keras.backend.backend()!r}. docs/distribution.md shows "
            "what works on the other backends."
        )
    if devices == "data":
        return keras.distribution.DataParallel()
    names = keras.distribution.list_devices()
    mesh = keras.distribution.DeviceMesh(
        (1, len(names)), ["batch", "model"], names
    )
    return keras.distribution.ModelParallel(
        layout_map=layout_map(mesh), batch_dim_name="batch"
    )


def is_first_process():
    """Return whether this process writes the files of a run.

    Several processes that were connected by `keras.distribution.initialize`
    compute the same weights. Only the first of them writes, because two
    processes must not write one file at the same time.
    """
    if keras.backend.backend() != "jax":
        return True
    import jax  # Keras has no public name for the number of this process.

    return jax.process_index() == 0


@contextlib.contextmanager
def without_distribution():
    """Return the context in which one process of several saves a model.

    Keras makes an optimizer while it saves a model. With a distribution of
    several processes, its variables would wait for the other processes.
    """
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)
