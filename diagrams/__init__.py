"""The diagrams of the lessons: `python3 -m diagrams` writes docs/diagrams.

One module for each group draws on a `Canvas`; `words.tsv` has every title,
caption and label in English and Korean. A diagram NAME becomes
docs/diagrams/NAME.en.svg and NAME.ko.svg, 736 pixels wide. A caption is also
the alternative text (`<desc>`). The numbers in the pictures are computed here
by the equations of keras_seq/layers and keras_seq/models. Only the standard
library is needed.
"""
