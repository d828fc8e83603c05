"""GPTs of one size with random weights: ours and those of other libraries.

Sizes are `{"vocab", "units", "heads", "layers"}`; the feed-forward
network is 4 * units wide. None has dropout or padding.
"""

import numpy as np

from keras_seq.models import GPT


def ours(sizes, max_length, dtype="float32"):
    """Make our GPT, built."""
    model = GPT(
        sizes["vocab"],
        sizes["units"],
        num_heads=sizes["heads"],
        num_layers=sizes["layers"],
        max_sequence_length=max_length,
        dropout=0.0,
        pad_id=None,
        dtype=dtype,
    )
    model(np.ones((1, 2), "int32"))
    return model


def of_keras_hub(sizes, max_length, dtype="float32"):
    """Make KerasHub's `GPT2CausalLM`, from ids."""
    from keras_hub.models import GPT2Backbone, GPT2CausalLM

    backbone = GPT2Backbone(
        vocabulary_size=sizes["vocab"],
        num_layers=sizes["layers"],
        num_heads=sizes["heads"],
        hidden_dim=sizes["units"],
        intermediate_dim=4 * sizes["units"],
        dropout=0.0,
        max_sequence_length=max_length,
        dtype=dtype,
    )
    return GPT2CausalLM(backbone, preprocessor=None, dtype=dtype)


def of_transformers(sizes, max_length):
    """Make `transformers`' `GPT2LMHeadModel`, in evaluation mode."""
    import transformers

    config = transformers.GPT2Config(
        vocab_size=sizes["vocab"],
        n_positions=max_length,
        n_embd=sizes["units"],
        n_layer=sizes["layers"],
        n_head=sizes["heads"],
        bos_token_id=0,
        eos_token_id=None,  # no end token
    )
    return transformers.GPT2LMHeadModel(config).eval()
