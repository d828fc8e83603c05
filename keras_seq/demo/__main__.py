"""python -m keras_seq.demo: an answer of each small model, without a network.

Give a text of your own to one of them:

    python -m keras_seq.demo --date "5. März 1950"
    python -m keras_seq.demo --continue "The film was released in"
    python -m keras_seq.demo --fill "배우들의 [MASK] 좋았다."
    python -m keras_seq.demo --review "배우들의 연기가 좋았다"
    python -m keras_seq.demo --digit 7
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DATES = ("Sunday, August 2, 1981", "서기 1986년 2월 1일 토요일")
PROMPTS = ("The film was released in", "정말 재미있")
BLANKS = ("The film was [MASK] in 1995.", "배우들의 [MASK] 좋았다.")
REVIEWS = ("정말 재미있고 감동적인 영화", "지루하고 돈이 아깝다")
INKS = " .:-=+*#%@"


def digit_images(labels):
    """Return the first test image of each label, and draw it as text."""
    from keras_seq import data

    images, known = data.digits("test")
    for label in labels:
        image = images[list(known).index(label)]
        rows = [
            "".join(2 * INKS[round(9 * float(x))] for x in row) for row in image
        ]
        yield image, "\n".join(rows)


def one_of_each():
    """Return questions for the models that are in the package."""
    from keras_seq import demo

    there = demo.names()
    return argparse.Namespace(
        date=DATES if "dates_bahdanau" in there else [],
        continuation=PROMPTS if "gpt" in there else [],
        fill=BLANKS if "bert" in there else [],
        review=REVIEWS if "reviews" in there else [],
        digit=[3] if "digits_vit" in there else [],
    )


def answers(given):
    """Yield lines of text, one for each question."""
    from keras_seq import demo

    for text in given.date:
        yield f"{text}  ->  {demo.translate_date(text)}"
    for text in given.continuation:
        yield demo.continue_text(text)
    for text in given.fill:
        for found in demo.fill_blank(text):
            words = ", ".join(f"{token} {p:.0%}" for token, p in found)
            yield f"{text}  ->  {words}"
    for text in given.review:
        mood, p = demo.classify_review(text)
        yield f"{text}  ->  {mood} ({p:.0%})"
    for image, drawn in digit_images(given.digit):
        digit, p = demo.classify_digit(image)
        yield f"{drawn}\n->  {digit} ({p:.0%})"


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m keras_seq.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--date", action="append", default=[])
    parser.add_argument(
        "--continue", dest="continuation", action="append", default=[]
    )
    parser.add_argument("--fill", action="append", default=[])
    parser.add_argument("--review", action="append", default=[])
    parser.add_argument(
        "--digit", type=int, action="append", default=[], choices=range(10)
    )
    given = parser.parse_args(arguments)
    if not any(vars(given).values()):
        given = one_of_each()
    try:
        for line in answers(given):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except (ImportError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
