"""This library beside its peers, interleaved in one run; see `report`."""

import os

# TensorFlow leaves oneDNN off on older processors, PyTorch nowhere: so that
# both compute with it, here, before TensorFlow is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
