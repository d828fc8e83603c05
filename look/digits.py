"""Train a Vision Transformer on the handwritten digits of scikit-learn.

Lesson 13 compares it with a ResNet, which is better with so few images.
"""

import keras
import numpy as np

from keras_seq import data
from keras_seq.models import ViT
from keras_seq.training import WarmupCosineDecay

BATCH = 60


def new_model(seed=0):
    """Return an untrained model."""
    keras.utils.set_random_seed(seed)
    model = ViT(
        10,
        image_size=8,
        patch_size=2,
        channels=1,
        hidden_dim=64,
        num_heads=4,
        num_layers=2,
    )
    model.build()
    return model


def train(epochs=120):
    """Train the model: returns it, without a tokenizer."""
    images, labels = data.digits("train")
    images = images[..., None]
    model = new_model()
    steps = epochs * -(-len(images) // BATCH)
    rate = WarmupCosineDecay(2e-3, steps)
    adam = keras.optimizers.AdamW(rate, weight_decay=0.05, global_clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adam, loss, metrics=["accuracy"])
    model.fit(images, labels, batch_size=BATCH, epochs=epochs, verbose=0)
    print(f"held-out digits right: {accuracy(model):.3f}")
    return model, {}


def accuracy(model):
    """Return the share of held-out digits that are classified correctly."""
    images, labels = data.digits("test")
    images = images[..., None]
    logits = model.predict(images, verbose=0)
    return float(np.mean(logits.argmax(axis=1) == labels))
