"use strict";
// Sorting by a column's head and filtering by a method's name; without the script the page reads the same.
for (const table of document.querySelectorAll("table.board")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const number = (cell) => {
    const found = /-?\d+(\.\d+)?/.exec(cell.textContent);
    return found ? Number(found[0]) : NaN;
  };
  heads.forEach((head, column) => {
    head.firstElementChild.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows];
      const text = head.dataset.kind === "text";
      rows.sort((a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        if (text) return x.textContent.localeCompare(y.textContent) * (up ? 1 : -1);
        const [m, n] = [number(x), number(y)];
        if (Number.isNaN(m) || Number.isNaN(n)) return Number.isNaN(m) - Number.isNaN(n);
        return (m - n) * (up ? 1 : -1);
      });
      body.append(...rows);
    });
  });
}
document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const row of document.querySelectorAll("table.board tbody tr")) {
    row.classList.toggle("off", !row.cells[1].textContent.toLowerCase().includes(wanted));
  }
});
