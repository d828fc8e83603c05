"""Look inside: the small models of the page, and the page itself.

    python -m look train            # the models, about 20 minutes on two cores
    python -m look build            # export to ONNX, copy the page: build/look
    python -m look serve            # the same, then serve it at loopback

The models are small and trained on data that this repository may
redistribute. Their weights, in float16, are part of the package
(`keras_seq/demo/weights`), so that `build` and `serve` train nothing.
"""
