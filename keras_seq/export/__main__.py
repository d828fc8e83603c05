"""python -m keras_seq.export: show a SavedModel, or run it on texts."""

from keras_seq.export.command import main

main()
