/* SPDX-License-Identifier: Apache-2.0 */
"use strict";
// Makes the columns of tables sortable. Without it the page is the same, in the order of execution.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.classList.contains("n") ? head.ariaSort === "descending" : head.ariaSort !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
      rows.sort(([a], [b]) => (up ? compare(a, b) : compare(b, a)));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

function value(cell) {
  const fact = cell.querySelector("[data-value]");
  return fact ? JSON.parse(fact.dataset.value) : cell.textContent.trim();
}

function compare(a, b) {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b));
}
