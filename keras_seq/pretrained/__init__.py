"""Published weights: folders as Hugging Face writes them, read and written.

A folder holds `config.json`, which says what the model is, and
`model.safetensors`, which holds named arrays and no code: nothing is unpickled.
Every tensor must be there, have its shape, and find its place; every option
that changes what is computed must be one that our model has.

    model = pretrained.load("gpt2")              # a folder on this machine
    model = pretrained.load("bert-base-uncased")             # BERTPretrainer
    model = pretrained.load("bert-base-uncased", BERT)       # without heads
    model = pretrained.load("vit-base-patch16-224", image_size=384)
    pretrained.save(model, "mine")               # and `transformers` reads it
"""

from keras_seq.pretrained.loading import load, save

__all__ = ["load", "save"]
