// How Sphinx's search orders its results: exact titles first, then lessons and
// guides, then the API, and last what is for those who change the project.
var Scorer = {
  score: ([page, title, anchor, description, score, file, kind]) => {
    if (kind === "title") score = 1.2 * score + 6;
    if (/^(tutorials|howto)\/|^install$/.test(page)) score += 5;
    if (/^(changelog|contributing|experiments|house)$/.test(page)) score -= 8;
    return score;
  },
  objNameMatch: 15,
  objPartialMatch: 6,
  objPrio: { 0: 8, 1: 4, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
