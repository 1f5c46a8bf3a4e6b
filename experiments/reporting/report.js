"use strict";
// Filter, sort and guess. Everything is on the page without it; nothing is kept when the page is left.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// Filter: the index, the list beside and the claims' own sections together.
const filters = { text: byId("filter-text"), verdict: byId("filter-verdict"), topic: byId("filter-topic") };
const claims = all("section.claim");
const ofClaim = (name) => all(`[data-claim="${name}"]`);

function filter() {
  const words = filters.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const claim of claims) {
    const said = claim.dataset.words.toLowerCase();
    const fits = words.every((word) => said.includes(word))
      && ["verdict", "topic"].every((name) => !filters[name].value || claim.dataset[name] === filters[name].value);
    shown += fits;
    for (const element of ofClaim(claim.dataset.claim)) element.hidden = !fits;
  }
  byId("filter-count").value = `${shown} of ${claims.length} claims`;
}

// Sort: by the number that a cell gives, else by its words.
const keyOf = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
};

function sort(heading) {
  const table = heading.closest("table"), column = heading.cellIndex;
  const down = heading.getAttribute("aria-sort") === "ascending";
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", { numeric: true }));
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => (down ? -1 : 1) * compare(keyOf(a, column), keyOf(b, column)));
  table.tBodies[0].append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
}

// Guess: verdicts, and what gives them away, are hidden until the reader has said one.
const score = { right: 0, asked: 0 };

function tellScore() {
  byId("score").value = score.asked ? `${score.right} of ${score.asked} right` : "";
}

function guessMode(on) {
  byId("guess").setAttribute("aria-pressed", on);
  document.body.classList.toggle("guessing", on);
  filters.verdict.disabled = on;
  filters.verdict.value = "";
  Object.assign(score, { right: 0, asked: 0 });
  for (const element of all(".known")) element.classList.remove("known");
  for (const question of all("fieldset.guess")) {
    question.hidden = !on;
    question.disabled = false;
    question.querySelector("output").value = "";
    for (const choice of all("button", question)) choice.setAttribute("aria-pressed", false);
  }
  for (const claim of claims.filter((claim) => !claim.querySelector("fieldset.guess"))) reveal(claim);
  tellScore();
  filter();
}

function reveal(claim) {
  for (const element of ofClaim(claim.dataset.claim)) element.classList.add("known");
}

function guess(choice) {
  const claim = choice.closest("section.claim"), question = choice.closest("fieldset");
  if (claim.classList.contains("known")) return;
  const right = choice.value === claim.dataset.verdict;
  score.asked += 1;
  score.right += right;
  choice.setAttribute("aria-pressed", true);
  question.querySelector("output").value = right ? "Right." : "Not so.";
  reveal(claim);
  tellScore();
}

for (const control of Object.values(filters).filter(Boolean)) control.addEventListener("input", filter);
for (const heading of all("table.sortable thead th")) {
  const button = document.createElement("button");
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => sort(heading));
}
for (const choice of all("fieldset.guess button")) choice.addEventListener("click", () => guess(choice));
if (claims.length) {
  byId("guess").addEventListener("click", () => guessMode(!document.body.classList.contains("guessing")));
  for (const controls of all(".controls")) controls.hidden = false;
  filter();
}
