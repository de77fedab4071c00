// Tables sort by a click on a head and are filtered by a text. Without this script they are plain tables.
"use strict";

// The figure that a cell begins with: "37.1%", "+3.2", "[−0.4, 6.0]", "< 0.001", "75 s"; null for words.
function figureOf(cell) {
  if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
  const text = wordsOf(cell).replace(/^[[<]\s*/, "").replace("−", "-");
  return /^[+-]?\d+(\.\d+)?(?=$|[%,\s])/.test(text) ? parseFloat(text) : null;
}

// What qualifies a figure stands in an element of its own behind it.
function wordsOf(cell) {
  return cell.firstChild ? cell.firstChild.textContent.trim() : "";
}

// Figures before words, whichever the direction.
function compare(a, b, direction) {
  const x = figureOf(a), y = figureOf(b);
  if (x !== null && y !== null) return direction * (x - y);
  if (x !== null || y !== null) return x === null ? 1 : -1;
  return direction * wordsOf(a).localeCompare(wordsOf(b), "en", { numeric: true });
}

function makeSortable(table, lines) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const first = lines.some((line) => figureOf(line.cells[column]) !== null) ? -1 : 1;
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = { descending: -1, ascending: 1 }[head.getAttribute("aria-sort")] || 0;
      const direction = before === 0 ? first : before === first ? -first : 0;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (direction) head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      const sorted = [...lines];
      if (direction) sorted.sort((a, b) => compare(a.cells[column], b.cells[column], direction));
      table.tBodies[0].append(...sorted);
    });
  });
}

function makeFilterable(table, lines) {
  const box = document.createElement("p");
  const input = document.createElement("input");
  const shown = document.createElement("output");
  box.className = "filter";
  input.type = "search";
  input.placeholder = `filter ${lines.length} lines`;
  input.setAttribute("aria-label", "show only lines that contain");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const line of lines) {
      const text = line.textContent.toLowerCase();
      line.hidden = !words.every((word) => text.includes(word));
    }
    shown.value = words.length ? `${lines.filter((line) => !line.hidden).length} of ${lines.length}` : "";
  });
  box.append(input, " ", shown);
  table.parentElement.before(box);
}

for (const table of document.querySelectorAll(".scroll > table")) {
  const lines = [...table.tBodies[0].rows];
  if (lines.length > 1) makeSortable(table, lines);
  if (lines.length > 14) makeFilterable(table, lines);
}
