"""Search in Korean: a noun is found with its particle.

Sphinx has no Korean. Particles follow a noun without a space: 행렬에, 행렬의.
So each word in Hangul is in the index with all its beginnings, and the query
행렬 finds them. English words on Korean pages are stemmed as on English ones.
"""

import re

from sphinx.search.en import SearchEnglish

HANGUL = re.compile("[가-힣]+")


class SearchKorean(SearchEnglish):
    """Index the beginnings of words in Hangul."""

    lang = "ko"  # `language_name` stays that of the stemmer
    # The query is split where Hangul meets other letters, as the texts are.
    js_splitter_code = """
function splitQuery(query) {
  const apart = query.replace(/[가-힣]+/gu, " $& ");
  return apart.match(/[\\p{L}\\p{N}_]+/gu) || [];
}
"""

    def split(self, text):
        words = []
        for word in re.findall("[가-힣]+|[^\\W가-힣]+", text):
            if HANGUL.match(word):
                words += [word[: end + 1] for end in range(len(word))]
            else:
                words.append(word)
        return words
