export const alignment = {
  "alignment.name": ["Alignment", "정렬"],
  "alignment.models": ["Seq2Seq, attention, Transformer", "Seq2Seq, 어텐션, 트랜스포머"],
  "alignment.title": [
    "Where a translator looks for each letter it writes",
    "번역 모델은 글자를 쓸 때마다 어디를 보는가",
  ],
  "alignment.lead": [
    "Four models rewrite a date as year-month-day. Nobody told them which letters belong together: the attention weights are learned. Go through the answer letter by letter, and see which letters of the date it comes from.",
    "네 모델이 날짜를 ‘연-월-일’로 바꿔 씁니다. 어느 글자가 어느 글자에 해당하는지는 아무도 알려 주지 않았고, 어텐션 가중치는 모델이 스스로 배운 것입니다. 답을 한 글자씩 짚어 가며 그 글자가 원문의 어디에서 왔는지 확인해 보세요.",
  ],
  "alignment.text": ["A date of 1900 to 2099, in English, Korean, German, Spanish, Finnish, French, Italian, Dutch, Polish or Turkish", "1900~2099년의 날짜(한국어, 영어, 독일어, 스페인어, 핀란드어, 프랑스어, 이탈리아어, 네덜란드어, 폴란드어, 튀르키예어)"],
  "alignment.model": ["Model", "모델"],
  "alignment.seq2seq": ["Seq2Seq, no attention", "Seq2Seq, 어텐션 없음"],
  "alignment.bahdanau": ["Bahdanau, additive", "바다나우, 덧셈"],
  "alignment.luong": ["Luong, general", "루옹, general"],
  "alignment.transformer": ["Transformer, 4 heads", "트랜스포머, 헤드 4개"],
  "alignment.answers": ["The four answers, each with its probability", "네 모델의 답과 그 답의 확률"],
  "alignment.answer": ["answer", "답"],
  "alignment.lines": [
    "Attention of “{0}”, letter {1} of the answer: the stronger the line, the larger the weight",
    "답의 {1}번째 글자 ‘{0}’의 어텐션: 선이 진할수록 가중치가 큽니다",
  ],
  "alignment.matrix": [
    "All weights: a row for each letter written, a column for each letter read",
    "모든 가중치: 행은 쓴 글자, 열은 읽은 글자",
  ],
  "alignment.head": ["Head", "헤드"],
  "alignment.mean": ["mean of 4", "4개의 평균"],
  "alignment.explain": ["Step {0}: writing “{1}”", "시점 {0}: ‘{1}’을(를) 쓸 때"],
  "alignment.noAttention": [
    "This model has no attention. Its decoder starts from one context vector of {0} numbers that has to hold the whole date, however long it is.",
    "이 모델에는 어텐션이 없습니다. 디코더는 날짜가 아무리 길어도 숫자 {0}개짜리 문맥 벡터 하나에서 출발합니다.",
  ],
  "alignment.weighted": [
    "The scores become weights through the softmax, and the context vector is the average of the encoder's states with these weights.",
    "스코어는 소프트맥스를 거쳐 가중치가 되고, 문맥 벡터는 인코더 상태를 이 가중치로 평균한 것입니다.",
  ],
  "alignment.heads": [
    "Each head has its own query and keys, and so its own weights. Most of each head's weight is on:",
    "헤드마다 쿼리와 키가 달라 가중치도 다릅니다. 헤드별로 가중치가 가장 큰 글자는 다음과 같습니다.",
  ],
  "alignment.letter": ["letter read", "읽은 글자"],
  "alignment.score": ["score e", "스코어 e"],
  "alignment.power": ["exp(e − max)", "exp(e − 최댓값)"],
  "alignment.weight": ["weight a", "가중치 a"],
  "alignment.rest": ["the other {0}", "나머지 {0}개"],
  "alignment.context": ["Context vector, the first 4 of {0}", "문맥 벡터, {0}개 중 처음 4개"],
  "alignment.next": ["Predicted letter", "예측한 글자"],
  "alignment.unfinished": [
    "{0} found no end within 11 letters.",
    "{0}은(는) 11글자 안에 끝내지 못했습니다.",
  ],
};
