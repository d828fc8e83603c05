"""Train the small models, one after the other, and store their weights."""

from keras_seq.demo.store import save_small
from look import characters, digits, language
from look import translators as dates
from look.exports import WEIGHTS

CELLS = "lstm", "gru", "rnn"
MODELS = {
    **{f"characters_{cell}": (characters.train, cell) for cell in CELLS},
    **{f"dates_{kind}": (dates.train, kind) for kind in dates.KINDS},
    "gpt": (language.train_gpt,),
    "bert": (language.train_bert,),
    "reviews": (language.train_reviews,),
    "digits_vit": (digits.train,),
}


def train(names=None):
    """Train models by name; None: all."""
    for name in names or MODELS:
        function, *arguments = MODELS[name]
        print(name, flush=True)
        model, tokenizers = function(*arguments)
        WEIGHTS.mkdir(parents=True, exist_ok=True)
        save_small(WEIGHTS / f"{name}.npz", model, tokenizers)
