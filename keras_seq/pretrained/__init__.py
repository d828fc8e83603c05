"""Published weights: load and save folders in the format of `transformers`.

A folder holds `config.json`, the options of the model, and `model.safetensors`,
named arrays without code: nothing is unpickled. Every tensor must be there,
have the right shape and belong to a weight of the model; every option that
changes the outputs must be one that our model supports. A loaded model can be
fine-tuned on another task (transfer learning).

    model = pretrained.load("./gpt2")             # the path of a folder
    model = pretrained.load("./bert-base-uncased")           # BERTPretrainer
    model = pretrained.load("./bert-base-uncased", BERT)     # without heads
    model = pretrained.load("./vit-base-patch16-224", image_size=384)
    pretrained.save(model, "./mine")               # `transformers` loads it
"""

from keras_seq.pretrained.loading import load, save

__all__ = ["load", "save"]
