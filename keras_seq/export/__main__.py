"""python -m keras_seq.export: what is in a SavedModel, and what it answers."""

from keras_seq.export.command import main

main()
