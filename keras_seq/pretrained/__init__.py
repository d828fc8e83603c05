"""Published weights: folders as Hugging Face writes them, read and written.

A folder holds `config.json`, which says what the model is, and
`model.safetensors`, which holds named arrays and no code: nothing is unpickled.
Every tensor must be there, have its shape, and find its place; every option
that changes what is computed must be one that our model has.

    model = GPT.from_huggingface("gpt2")    # a folder on this machine
    model = BERTPretrainer.from_huggingface("bert-base-uncased")
    model = ViT.from_huggingface("vit-base-patch16-224", image_size=384)
    tokenizer = BERTTokenizer.from_huggingface("bert-base-uncased")
    model.to_huggingface("mine", tokenizer)  # and `transformers` reads it
"""

from keras_seq.pretrained.bert import load_bert, save_bert
from keras_seq.pretrained.gpt import load_gpt
from keras_seq.pretrained.vit import load_vit, save_vit

__all__ = ["load_bert", "load_gpt", "load_vit", "save_bert", "save_vit"]
