"use strict";
document.documentElement.classList.remove("no-script");
const { classes, directions } = JSON.parse(document.getElementById("data").textContent);

// Sorting: numbers start with the largest, names with the first.
const table = document.querySelector("table.categories");
const body = table.tBodies[0];
const status = document.querySelector("[role=status]");
const order = (row, by) => Number(by === "name" ? row.dataset.index
  : by === "samples" ? row.dataset.samples
  : row.querySelectorAll("[data-accuracy]")[Object.keys(directions).indexOf(by)].dataset.accuracy);

for (const heading of table.querySelectorAll("[data-sort]")) {
  heading.querySelector("button").addEventListener("click", () => {
    const by = heading.dataset.sort;
    const first = by === "name" ? "ascending" : "descending";
    const second = by === "name" ? "descending" : "ascending";
    const direction = heading.getAttribute("aria-sort") === first ? second : first;
    for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows];
    rows.sort((a, b) => sign * (order(a, by) - order(b, by)) || order(a, "name") - order(b, "name"));
    body.append(...rows);
    status.textContent = `Sorted by ${heading.textContent.trim()}, ${direction}`;
  });
}

// Heat maps: the cell under the pointer, or the one that the arrow keys reached, is read out below.
for (const map of document.querySelectorAll("svg[data-direction]")) {
  const { samples, correct, mistakes } = directions[map.dataset.direction];
  const counts = new Map(mistakes.map(([row, column, count]) => [row * classes.length + column, count]));
  const panel = map.closest(".confusion");
  const output = panel.querySelector("output");
  const cross = map.querySelector(".cross");
  const size = classes.length;
  let at = null;

  const show = (row, column) => {
    at = [row, column];
    const bands = [[0, row, size, 1], [column, 0, 1, size]].map(([x, y, width, height]) => {
      const band = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [name, value] of Object.entries({ x, y, width, height })) band.setAttribute(name, value);
      return band;
    });
    cross.replaceChildren(...bands);
    const count = row === column ? correct[row] : counts.get(row * size + column) ?? 0;
    const share = `${count} of ${samples[row]} (${(100 * count / samples[row]).toFixed(0)}%)`;
    output.textContent = row === column
      ? `${classes[row]}: ${share} correct`
      : `${classes[row]} taken for ${classes[column]}: ${share}`;
  };

  const point = (event) => {
    const box = map.getBoundingClientRect();
    const cell = (offset, length) => Math.min(size - 1, Math.max(0, Math.floor(offset / length * size)));
    show(cell(event.clientY - box.top, box.height), cell(event.clientX - box.left, box.width));
  };
  map.addEventListener("pointerdown", point);
  map.addEventListener("pointermove", point);

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  map.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const inside = (value) => Math.min(size - 1, Math.max(0, value));
    show(...(at ? [inside(at[0] + step[0]), inside(at[1] + step[1])] : [0, 0]));
  });

  for (const pair of panel.querySelectorAll("tr[data-row]")) {
    pair.addEventListener("pointerenter", () => show(Number(pair.dataset.row), Number(pair.dataset.column)));
  }
}
