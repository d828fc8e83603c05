"""Draw docs/pictures/alignment.en.svg and .ko.svg: python3 docs/alignment.py

alignment.json holds the attention weights of the first model of lesson 05
(BahdanauSeq2Seq, seed 0, 2 epochs) for two held-out dates, the two that its
section "Question" names. A line is as dark and thick as its weight is large.
Only the standard library is needed.
"""

import json
import sys
from pathlib import Path

HOME = Path(__file__).parent / "pictures"
sys.path.insert(0, str(HOME.parents[1]))
from diagrams.canvas import WIDTH, Canvas  # noqa: E402

HEIGHT, STEP, CELL = 396, 28, 24
SMALLEST = 0.05  # weights below are not drawn
WORDS = {
    "en": {
        "alignment.title": "What a translator of dates attends to",
        "alignment.caption": "Two held-out dates, one in English and one in "
        "Korean, above the ISO dates that a model with Bahdanau attention "
        "wrote. Lines show the attention weights of lesson 05: the digits of "
        "the year go to the year, 08 to August, 02 to 2월, although nothing "
        "but right answers was shown in training.",
        "year": "year",
        "month": "month",
        "day": "day",
        "read": "read",
        "written": "written",
        "note": "line: attention weight (from 0.05)",
    },
    "ko": {
        "alignment.title": "날짜 번역 모델이 보는 곳",
        "alignment.caption": "학습에 쓰지 않은 영어 날짜와 한국어 날짜, 그리고 "
        "바다나우 어텐션 모델이 쓴 ISO 날짜입니다. 선은 05 단원의 어텐션 "
        "가중치입니다. 정답만 보고 학습했는데도 연도의 숫자는 원문의 연도로, "
        "08은 August로, 02는 2월로 이어집니다.",
        "year": "연",
        "month": "월",
        "day": "일",
        "read": "입력",
        "written": "출력",
        "note": "선: 어텐션 가중치(0.05 이상)",
    },
}
FIELDS = {"year": (0, 4), "month": (5, 7), "day": (8, 10)}


def row(c, tokens, y, bold=False):
    """Draw tokens in a row; return the boxes."""
    width = STEP * (len(tokens) - 1) + 48
    left = 40 + (WIDTH - 40 - width) / 2
    boxes = []
    for k, token in enumerate(tokens):
        end = token == "[END]"
        text = "␣" if token == " " else token
        size = 12 if end else 15
        wide = 48 if end else CELL
        boxes.append(
            c.box(
                *(left + STEP * k, y, wide, 28, text, "token"),
                size=size,
                bold=bold,
            )
        )
    return boxes


def date(c, top, found):
    """Draw one date, its answer, and the weights between them."""
    source = row(c, found["source"], top)
    target = row(c, found["target"], top + 108, bold=True)
    c.text(10, top + 14, c.say("read"), 13, "soft", "start")
    c.text(10, top + 122, c.say("written"), 13, "soft", "start")
    for box, weights in zip(target, found["weights"]):
        for other, weight in zip(source, weights):
            if weight < SMALLEST:
                continue
            (x, y), (x1, y1) = box.top, other.bottom
            c.out.append(
                f'<path d="M{x:.1f} {y:.1f} L{x1:.1f} {y1:.1f}" '
                f'class="ks-line-weights" stroke-linecap="round" '
                f'stroke-opacity="{0.25 + 0.75 * weight:.2f}" '
                f'stroke-width="{0.8 + 6 * weight:.1f}"/>'
            )
    for name, (begin, end) in FIELDS.items():
        x0, x1 = target[begin].x, target[end - 1].right[0]
        y = top + 143
        c.arrow((x0, y), (x1, y), width=1.2, head=False)
        c.text((x0 + x1) / 2, y + 12, c.say(name), 12, "soft")


def draw(language):
    """Return the picture as SVG."""
    canvas = Canvas(HEIGHT, language, WORDS[language])
    dates = json.loads((HOME / "alignment.json").read_text("utf-8"))["dates"]
    for k, found in enumerate(dates):
        date(canvas, 16 + 184 * k, found)
    canvas.text(WIDTH - 12, HEIGHT - 14, canvas.say("note"), 12, "soft", "end")
    return canvas.svg("alignment")


if __name__ == "__main__":
    for language in WORDS:
        path = HOME / f"alignment.{language}.svg"
        path.write_text(draw(language), encoding="utf-8")
        print(path)
