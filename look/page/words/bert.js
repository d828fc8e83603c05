export const bert = {
  "fill.name": ["Fill the blank", "빈칸 채우기"],
  "fill.models": ["BERT", "BERT"],
  "fill.title": ["What stands in the blank", "빈칸에 들어갈 말"],
  "fill.lead": [
    "BERT reads both sides of a hidden token and predicts what it was. Click a token to hide it, or type [MASK]. The background shows where the blank attends to.",
    "BERT는 가려진 토큰의 양쪽을 모두 읽고 그 자리에 무엇이 있었는지 예측합니다. 토큰을 눌러 가리거나 [MASK]를 직접 입력해 보세요. 배경색은 빈칸이 어디에 주목하는지 보여 줍니다.",
  ],
  "fill.tokens": ["Tokens (click to hide or show)", "토큰(누르면 가리거나 보입니다)"],
  "fill.candidates": ["Ten most probable tokens", "확률이 가장 높은 토큰 10개"],
  "fill.true": ["hidden: {0}", "가린 토큰: {0}"],
  "fill.rank": [
    "The hidden token “{0}” is number {1}, with {2}.",
    "가린 토큰 ‘{0}’은(는) {1}번째이고 확률은 {2}입니다.",
  ],
  "fill.which": ["Blank", "빈칸"],
  "fill.none": ["Hide a token first.", "먼저 토큰을 하나 가려 주세요."],
  "fill.explain": ["Blank {0}", "{0}번째 빈칸"],
  "fill.words": [
    "The last vector of [MASK] goes through a dense layer and is multiplied with the embedding of every token. The softmax of these logits is the distribution.",
    "[MASK] 자리의 마지막 벡터를 완전 연결 층에 통과시킨 다음 모든 토큰의 임베딩과 곱합니다. 이 로짓의 소프트맥스가 분포입니다.",
  ],
};
