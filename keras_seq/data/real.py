"""Real text from elsewhere: plays, film reviews, an encyclopedia.

Looked for where `find_file` looks; held to the checksum of the very file
that the published figures were measured on.
"""

import re
import unicodedata

import numpy as np

from keras_seq.checks import one_of
from keras_seq.data.files import find_file
from keras_seq.data.splits import SPLITS

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/"
    "tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = (
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
)
NSMC_SHA256 = {
    "train": "b54ca77bca8e7006987c6a119e7c068a4d023fc940c9e88954e255287e2d271b",
    "test": "e1e3684aa6fe6ec3700df78b5e8732901e0f52eed5aa923b3e581d50051420d5",
}
NSMC_ORIGIN = (
    "40,000 and 8,000 reviews drawn from the raw reviews of "
    "https://github.com/e9t/nsmc by its own rule (1-4 bad, 9-10 good, at most "
    "140 characters), balanced; not its official split of 150,000 and 50,000"
)


WIKITEXT_URL = (
    "https://raw.githubusercontent.com/pytorch/examples/main/"
    "word_language_model/data/wikitext-2/"
)
WIKITEXT = {
    "train": "valid.txt",
    "test": "test.txt",
}
WIKITEXT_SHA256 = {
    "train": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    "test": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
}


def tinyshakespeare(split="train"):
    """Load a million characters of Shakespeare's plays.

    From github.com/karpathy/char-rnn, 1,115,394 characters, public domain
    text: the first nine tenths train, the last tenth tests. Baseline: 1.88
    nats a character, nanoGPT's README for its CPU setting (4 layers, 4 heads,
    width 128, context 64).

    Args:
        split: "train" or "test". Default "train".
    Returns:
        str of 1,003,854 or 111,540 characters, 65 different ones.
    Raises:
        FileNotFoundError: if the file is not here and no download works.
        ValueError: if the file is damaged or `split` is another word.
    """
    one_of(SPLITS, split=split)
    path = find_file(
        "tinyshakespeare/input.txt", SHAKESPEARE_URL, SHAKESPEARE_SHA256
    )
    text = path.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    return text[:cut] if split == "train" else text[cut:]


def nsmc(split="train"):
    """Load `nsmc-40k`, Korean film reviews, good or bad.

    Drawn from the raw reviews of github.com/e9t/nsmc (CC0) by that project's
    own rule: 40,000 to train and 8,000 to test, half of them good. It is not
    the official split, so results belong under the name `nsmc-40k`. No review
    is in both, but 177 test reviews have the words of a training review
    ("최고", say). Baselines, accuracy: 0.5 for one answer always; TF-IDF of
    character 1-4-grams with logistic regression 0.761, 0.811 and 0.852 on
    1,000, 5,000 and 40,000 training reviews.

    Args:
        split: "train" or "test". Default "train".
    Returns:
        texts: list of N str in Unicode NFC, 1 to 140 characters.
        labels: int32 (N,), 1 good, 0 bad.
    Raises:
        FileNotFoundError: if the file is not here; it cannot be downloaded.
        ValueError: if the file is damaged or `split` is another word.
    """
    one_of(SPLITS, split=split)
    name = f"nsmc/ratings_{split}.txt"
    path = find_file(name, None, NSMC_SHA256[split], NSMC_ORIGIN)
    content = path.read_text(encoding="utf-8")
    # "\n" alone ends a row: splitlines() would also cut inside a review.
    rows = [row.split("\t") for row in content.rstrip("\n").split("\n")[1:]]
    texts = [unicodedata.normalize("NFC", text) for _, text, _ in rows]
    return texts, np.array([int(label) for _, _, label in rows], dtype="int32")


def wikitext2(split="train"):
    """Load the smaller files of WikiText-2: articles of English Wikipedia.

    Merity et al. (2016), arXiv:1609.07843, CC BY-SA 3.0; from
    github.com/pytorch/examples. Trains on the 60 articles that were made for
    validation, for the large training file is not used here, and tests on the
    62 of the test file. Words stand apart ("it 's", "60 @-@ year"), and rare
    ones are "<unk>".

    Args:
        split: "train" or "test". Default "train".
    Returns:
        list of N str in Unicode NFC, an article each: a paragraph per line,
        without the headings.
    Raises:
        FileNotFoundError: if the file is not here and no download works.
        ValueError: if the file is damaged or `split` is another word.
    """
    one_of(SPLITS, split=split)
    name, sha256 = WIKITEXT[split], WIKITEXT_SHA256[split]
    path = find_file(f"wikitext-2/{name}", WIKITEXT_URL + name, sha256)
    text = unicodedata.normalize("NFC", path.read_text(encoding="utf-8"))
    _, *found = re.split(r"^ = [^=\n]+ = $", text, flags=re.MULTILINE)
    articles = []
    for article in found:
        lines = (line.strip() for line in article.split("\n"))
        kept = [line for line in lines if line and not line.startswith("= ")]
        articles.append("\n".join(kept))
    return articles
