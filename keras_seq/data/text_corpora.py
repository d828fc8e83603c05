"""Text corpora: plays, film reviews, an encyclopedia.

`find_file` finds each file, and compares it with the checksum of the version
that the published figures were measured on.

tinyshakespeare: 1,115,394 characters of plays, 65 different ones, from
github.com/karpathy/char-rnn; the first nine tenths are the training text.
Baseline: 1.88 nats per character, from nanoGPT's README for its CPU setting
(4 layers, 4 heads, width 128, context 64).

nsmc-40k: drawn from the raw reviews of github.com/e9t/nsmc (CC0) by the rule
of that project: 40,000 training and 8,000 test reviews, half of them
positive. It is not the official split, so report results under the name
`nsmc-40k`. No review is in both splits, but 177 test reviews have the same
words as a training review (e.g. "최고"). Baselines, accuracy: 0.5 for always
answering one class; TF-IDF of character 1-grams to 4-grams with logistic
regression 0.761, 0.811 and 0.852 on 1,000, 5,000 and 40,000 training reviews.

WikiText-2: Merity et al. (2016), arXiv:1609.07843, CC BY-SA 3.0; from
github.com/pytorch/examples. The training split here is the official
validation file of 60 articles, because the official training file is large;
the test split is the official test file of 62 articles. Words are separated
by spaces ("it 's", "60 @-@ year"), and rare ones are "<unk>".
"""

import re
import unicodedata

import numpy as np

from keras_seq.checks import one_of
from keras_seq.data.data_files import find_file
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
    """Load `tinyshakespeare`, plays of Shakespeare as one string.

    Args:
        split: str, "train" or "test". Default "train".
    Returns:
        str of 1,003,854 or 111,540 characters, 65 different ones.
    Raises:
        FileNotFoundError: if the file is missing and the download fails.
        ValueError: if the file is damaged or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> text = data.tinyshakespeare()  # doctest: +SKIP
    """
    one_of(SPLITS, split=split)
    path = find_file(
        "tinyshakespeare/input.txt", SHAKESPEARE_URL, SHAKESPEARE_SHA256
    )
    text = path.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    return text[:cut] if split == "train" else text[cut:]


def nsmc(split="train"):
    """Load `nsmc-40k`, Korean film reviews, positive or negative.

    Args:
        split: str, "train" or "test". Default "train".
    Returns:
        texts: list of N str in Unicode NFC, 1 to 140 characters.
        labels: int32 (N,), 1 positive, 0 negative.
    Raises:
        FileNotFoundError: if the file is missing; it cannot be downloaded.
        ValueError: if the file is damaged or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> texts, labels = data.nsmc("test")  # doctest: +SKIP
    """
    one_of(SPLITS, split=split)
    name = f"nsmc/ratings_{split}.txt"
    path = find_file(name, None, NSMC_SHA256[split], NSMC_ORIGIN)
    content = path.read_text(encoding="utf-8")
    # Only "\n" ends a row: splitlines() would also split inside a review.
    rows = [row.split("\t") for row in content.rstrip("\n").split("\n")[1:]]
    texts = [unicodedata.normalize("NFC", text) for _, text, _ in rows]
    return texts, np.array([int(label) for _, _, label in rows], dtype="int32")


def wikitext2(split="train"):
    """Load the smaller files of WikiText-2, articles of English Wikipedia.

    Args:
        split: str, "train" or "test". Default "train".
    Returns:
        list of N str in Unicode NFC, one article each: one paragraph per
        line, without the headings.
    Raises:
        FileNotFoundError: if the file is missing and the download fails.
        ValueError: if the file is damaged or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> articles = data.wikitext2()  # doctest: +SKIP
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
