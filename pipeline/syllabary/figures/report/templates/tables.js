"use strict";
// Tables that sort, tabs, and movies that play while they are on the screen.

function value(row, column) {
  const cell = row.cells[column];
  const raw = cell.dataset.sort ?? cell.textContent;
  const number = raw === "-inf" ? -Infinity : Number(raw);
  return raw.trim() !== "" && !Number.isNaN(number) ? number : raw;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    // Numbers start with the largest, names with the first.
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const other = { ascending: "descending", descending: "ascending" };
    const order = head.ariaSort ? other[head.ariaSort] : first;
    for (const each of table.tHead.rows[0].cells) each.ariaSort = null;
    head.ariaSort = order;
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => sign * compare(value(a, head.cellIndex), value(b, head.cellIndex)));
    table.tBodies[0].append(...rows);
    const gallery = table.dataset.gallery && document.getElementById(table.dataset.gallery);
    if (gallery) {
      const movies = new Map([...gallery.children].map((m) => [m.dataset.key, m]));
      gallery.append(...rows.map((r) => movies.get(r.dataset.key)).filter(Boolean));
    }
  });
}

const tabs = [...document.querySelectorAll("[data-tab]")];
for (const tab of tabs) {
  tab.addEventListener("click", () => {
    for (const other of tabs) other.ariaSelected = String(other === tab);
    for (const panel of document.querySelectorAll("[data-panel]")) {
      panel.hidden = panel.dataset.panel !== tab.dataset.tab;
    }
  });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    }
  });
}

function load(video) {
  const source = video.dataset[video.dataset.kind] ?? video.dataset.arena ?? video.dataset.aligned;
  if (video.getAttribute("src") !== source) video.src = source;
  video.play().catch(() => {});
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) load(entry.target);
    else entry.target.pause();
  }
}, { rootMargin: "100px" });
for (const video of document.querySelectorAll(".gallery video, .drawn video")) seen.observe(video);

for (const bar of document.querySelectorAll("[data-kinds]")) {
  bar.addEventListener("click", (event) => {
    const kind = event.target.dataset.kind;
    if (!kind) return;
    for (const button of bar.querySelectorAll("button")) button.ariaPressed = String(button === event.target);
    // What the model shows of itself stays as it is.
    for (const video of document.getElementById(bar.dataset.kinds).querySelectorAll("video:not(.own)")) {
      video.dataset.kind = kind;
      if (video.hasAttribute("src")) load(video);
    }
  });
}
document.documentElement.dataset.ready = "true";
