"use strict";
// The ethogram of one recording: rows of bouts and traces over time, and a cursor that the
// preview video moves. Times are seconds of the recording's clock.

const data = JSON.parse(document.getElementById("timeline").textContent);
const canvas = document.getElementById("ethogram");
const overview = document.getElementById("overview");
const video = document.getElementById("preview");
const ROW = 30, GAP = 6, TRACE = 46, AXIS = 26, LEFT = 150;

// The clock: ticks are not evenly spaced in time, so both ways go through a table.
function interpolate(x, from, to) {
  if (!from.length) return 0;
  let low = 0, high = from.length - 1;
  if (x <= from[0]) return to[0];
  if (x >= from[high]) return to[high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= x) low = middle; else high = middle;
  }
  return to[low] + ((to[high] - to[low]) * (x - from[low])) / (from[high] - from[low]);
}
const timeOf = (tick) => interpolate(tick, data.clock_tick, data.clock_s);
const tickOf = (time) => interpolate(time, data.clock_s, data.clock_tick);
const END = Math.max(data.clock_s.at(-1) ?? 0, 0.001);

for (const trace of data.traces) {
  trace.bytes = Uint8Array.from(atob(trace.values), (c) => c.charCodeAt(0));
}
for (const row of data.rows) {
  row.start = row.start_ms.map((ms) => ms / 1000);
}

let view = { from: 0, to: Math.min(END, 60) };
let cursor = 0;

function indexAt(starts, time) {
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= time) low = middle + 1; else high = middle;
  }
  return low - 1;
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function prepare(target, height) {
  const scale = window.devicePixelRatio || 1;
  const width = target.clientWidth;
  target.style.height = `${height}px`;
  target.width = Math.round(width * scale);
  target.height = Math.round(height * scale);
  const ink = target.getContext("2d");
  ink.setTransform(scale, 0, 0, scale, 0, 0);
  ink.clearRect(0, 0, width, height);
  ink.font = "12px system-ui, sans-serif";
  ink.textBaseline = "middle";
  return [ink, width];
}

function drawRow(ink, row, top, height, left, width, from, to) {
  const scale = width / (to - from);
  ink.fillStyle = css("--band");
  ink.fillRect(left, top, width, height);
  for (let i = Math.max(0, indexAt(row.start, from)); i < row.start.length && row.start[i] < to; i++) {
    const key = row.keys[row.code[i]];
    if (!key) continue;
    const x = Math.max(0, (row.start[i] - from) * scale);
    const end = Math.min(width, ((row.start[i + 1] ?? END) - from) * scale);
    ink.fillStyle = key.color;
    ink.fillRect(left + x, top, Math.max(end - x, 0.4), height);
    if (end - x > 34 && height >= 20) {
      ink.save();
      ink.beginPath();
      ink.rect(left + x + 2, top, end - x - 4, height);
      ink.clip();
      ink.fillStyle = "#14171b";
      ink.fillText(key.name, left + x + 5, top + height / 2 + 1);
      ink.restore();
    }
  }
}

function drawTrace(ink, trace, top, left, width) {
  const points = trace.bytes.length;
  const first = Math.max(0, Math.floor(tickOf(view.from) / trace.ticks_per_point) - 1);
  const last = Math.min(points - 1, Math.ceil(tickOf(view.to) / trace.ticks_per_point) + 1);
  ink.strokeStyle = css("--line");
  ink.strokeRect(left, top + 0.5, width, TRACE - 1);
  ink.save();
  ink.beginPath();
  ink.rect(left, top, width, TRACE);
  ink.clip();
  ink.beginPath();
  let pen = false;
  const stride = Math.max(1, Math.floor((last - first) / (2 * width)));
  for (let i = first; i <= last; i += stride) {
    const byte = trace.bytes[i];
    if (byte === 255) { pen = false; continue; }
    const time = timeOf((i + 0.5) * trace.ticks_per_point);
    const x = left + ((time - view.from) / (view.to - view.from)) * width;
    const y = top + 3 + (1 - byte / 254) * (TRACE - 6);
    if (pen) ink.lineTo(x, y); else ink.moveTo(x, y);
    pen = true;
  }
  ink.strokeStyle = css("--accent");
  ink.lineWidth = 1.2;
  ink.stroke();
  ink.restore();
  ink.lineWidth = 1;
}

function label(ink, text, y, color) {
  ink.fillStyle = color;
  ink.save();
  ink.beginPath();
  ink.rect(0, y - 9, LEFT - 8, 18);
  ink.clip();
  ink.fillText(text, 0, y);
  ink.restore();
}

function niceStep(span) {
  const rough = span / 8;
  return [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200]
    .find((step) => step >= rough) ?? 14400;
}

function clockText(time, step) {
  if (END < 120) return `${+time.toFixed(step < 0.1 ? 2 : 1)} s`;
  const whole = Math.floor(time + 1e-6), hours = Math.floor(whole / 3600);
  const rest = String(Math.floor(whole / 60) % 60).padStart(hours ? 2 : 1, "0") + ":" + String(whole % 60).padStart(2, "0");
  const part = step < 1 ? "." + Math.round((time - whole) * 10) : "";
  return (hours ? `${hours}:` : "") + rest + part;
}

function draw() {
  const height = data.rows.length * (ROW + GAP) + data.traces.length * (TRACE + GAP) + AXIS;
  const [ink, full] = prepare(canvas, height);
  const width = full - LEFT - 4;
  const toX = (time) => LEFT + ((time - view.from) / (view.to - view.from)) * width;
  let top = 0;
  for (const row of data.rows) {
    label(ink, row.name, top + ROW / 2, css("--ink"));
    drawRow(ink, row, top, ROW, LEFT, width, view.from, view.to);
    top += ROW + GAP;
  }
  for (const trace of data.traces) {
    label(ink, trace.name, top + TRACE / 2 - 8, css("--ink"));
    label(ink, `${trace.low} to ${trace.high} ${trace.unit === "0–1" ? "" : trace.unit}`, top + TRACE / 2 + 8, css("--soft"));
    drawTrace(ink, trace, top, LEFT, width);
    top += TRACE + GAP;
  }
  const step = niceStep(view.to - view.from);
  ink.fillStyle = css("--soft");
  ink.textAlign = "center";
  for (let t = Math.ceil(view.from / step) * step; t <= view.to + 1e-9; t += step) {
    const x = toX(t);
    ink.fillRect(x, top, 1, 5);
    if (x < full - 22) ink.fillText(clockText(t, step), x, top + 15);
  }
  ink.textAlign = "left";
  ink.fillText(END < 120 ? "time (s)" : "time (min:s)", 0, top + 15);
  if (cursor >= view.from && cursor <= view.to) {
    ink.fillStyle = css("--reject");
    ink.fillRect(toX(cursor) - 1, 0, 2, top);
  }
  const [small, wide] = prepare(overview, 34);
  if (data.rows.length) drawRow(small, data.rows[0], 4, 18, LEFT, wide - LEFT - 4, 0, END);
  const scale = (wide - LEFT - 4) / END;
  label(small, "whole recording", 13, css("--soft"));
  small.strokeStyle = css("--ink");
  small.lineWidth = 2;
  small.strokeRect(LEFT + view.from * scale, 2, Math.max(3, (view.to - view.from) * scale), 22);
  small.fillStyle = css("--reject");
  small.fillRect(LEFT + cursor * scale - 1, 0, 2, 28);
  readout();
}

function readout() {
  document.getElementById("now").textContent =
    `${cursor.toFixed(2)} s` + (END >= 120 ? ` (${clockText(cursor, 1)})` : "");
  const lines = data.rows.map((row) => {
    const i = indexAt(row.start, cursor);
    const key = row.keys[row.code[i]];
    const begin = row.start[i] ?? 0, end = row.start[i + 1] ?? END;
    return [row.name, key ? key.name : "no label", key ? key.color : "transparent", `${(end - begin).toFixed(2)} s bout`];
  });
  for (const trace of data.traces) {
    const byte = trace.bytes[Math.floor(tickOf(cursor) / trace.ticks_per_point)];
    const known = byte !== undefined && byte !== 255;
    const number = trace.low + (byte / 254) * (trace.high - trace.low);
    const text = known ? `${number.toFixed(trace.high <= 1 ? 2 : 0)}${trace.unit === "0–1" ? "" : " " + trace.unit}` : "–";
    lines.push([trace.name, text, null, ""]);
  }
  const body = document.getElementById("readout");
  body.replaceChildren(...lines.map(([name, text, color, extra]) => {
    const line = document.createElement("tr");
    const cells = [0, 1, 2].map(() => line.insertCell());
    cells[0].textContent = name;
    if (color) {
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = color;
      cells[1].append(swatch);
    }
    cells[1].append(text);
    cells[2].textContent = extra;
    cells[2].className = "note";
    return line;
  }));
}

function legends() {
  const place = document.getElementById("legends");
  for (const row of data.rows) {
    const list = document.createElement("ul");
    list.className = "legend";
    const head = document.createElement("li");
    head.className = "note";
    head.textContent = row.name + (row.cut ? " (only the first bouts: too many to show)" : "");
    list.append(head);
    for (const code of Object.keys(row.keys).map(Number).sort((a, b) => a - b)) {
      const item = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = row.keys[code].color;
      item.append(swatch, row.keys[code].name);
      list.append(item);
    }
    place.append(list);
  }
}

function look(from, to) {
  const span = Math.min(Math.max(to - from, 0.5), END);
  const start = Math.min(Math.max(from, 0), END - span);
  view = { from: start, to: start + span };
  draw();
}

function zoom(factor, around = cursor) {
  const at = Math.min(Math.max(around, view.from), view.to);
  look(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

function go(time, seek = true) {
  cursor = Math.min(Math.max(time, 0), END);
  // The preview has one picture per tick, whatever its frame rate.
  if (seek && video && video.duration) video.currentTime = (tickOf(cursor) / Math.max(1, data.ticks)) * video.duration;
  const span = view.to - view.from;
  if (cursor < view.from || cursor > view.to) look(cursor - span * 0.1, cursor + span * 0.9);
  else draw();
}

function step(direction) {
  const starts = data.rows[0]?.start ?? [];
  const i = indexAt(starts, cursor + 1e-6);
  const target = direction > 0 ? starts[i + 1] : cursor - starts[i] > 0.05 ? starts[i] : starts[i - 1];
  if (target !== undefined) go(target + 0.001);
}

const timeAt = (event, target, from, to) => {
  const box = target.getBoundingClientRect();
  return from + ((event.clientX - box.left - LEFT) / (box.width - LEFT - 4)) * (to - from);
};

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  drag = { x: event.clientX, view: { ...view }, moved: false };
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const shift = ((event.clientX - drag.x) / (canvas.clientWidth - LEFT - 4)) * (view.to - view.from);
  if (Math.abs(event.clientX - drag.x) > 4) drag.moved = true;
  if (drag.moved) look(drag.view.from - shift, drag.view.to - shift);
});
canvas.addEventListener("pointerup", (event) => {
  if (drag && !drag.moved) go(timeAt(event, canvas, view.from, view.to));
  drag = null;
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event, canvas, view.from, view.to));
}, { passive: false });

let pulling = false;
function pull(event) {
  const middle = timeAt(event, overview, 0, END), half = (view.to - view.from) / 2;
  look(middle - half, middle + half);
}
overview.addEventListener("pointerdown", (event) => {
  overview.setPointerCapture(event.pointerId);
  pulling = true;
  pull(event);
});
overview.addEventListener("pointermove", (event) => pulling && pull(event));
overview.addEventListener("pointerup", () => { pulling = false; });

document.getElementById("zoom-in").addEventListener("click", () => zoom(0.5));
document.getElementById("zoom-out").addEventListener("click", () => zoom(2));
document.getElementById("zoom-all").addEventListener("click", () => look(0, END));
document.getElementById("previous").addEventListener("click", () => step(-1));
document.getElementById("next").addEventListener("click", () => step(1));
document.addEventListener("keydown", (event) => {
  if (event.target.closest("button, video, input")) return;
  if (event.key === "ArrowRight") step(1);
  else if (event.key === "ArrowLeft") step(-1);
  else if (event.key === " " && video) {
    event.preventDefault();
    if (video.paused) video.play(); else video.pause();
  }
});

function follow() {
  if (!video.duration) return;
  go(timeOf((video.currentTime / video.duration) * data.ticks), false);
}
if (video) {
  const loop = () => {
    if (!video.paused) {
      follow();
      requestAnimationFrame(loop);
    }
  };
  video.addEventListener("play", loop);
  video.addEventListener("seeked", () => video.paused && Math.abs(timeOf((video.currentTime / (video.duration || 1)) * data.ticks) - cursor) > 0.5 && follow());
}
new ResizeObserver(draw).observe(canvas.parentElement);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
legends();
draw();
document.documentElement.dataset.ready = "true";
