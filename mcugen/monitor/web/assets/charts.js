// Small charts on canvas and SVG. Colours come from the style sheet, so that light and dark are one place.

const HIGHEST = 220; // pixels of an image
const SVG = "http://www.w3.org/2000/svg";

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// A canvas's drawing context in CSS pixels, cleared, and its size: as high as the page says, or as `wanted`.
function begin(canvas, wanted) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.dataset.height = canvas.dataset.height || canvas.getAttribute("height");
  const height = wanted ?? Number(canvas.dataset.height);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

// Values from left to right as a line. With `low` and `high` the scale is theirs, else the values'.
export function line(canvas, values, { low, high, name = "accent" } = {}) {
  const { context, width, height } = begin(canvas);
  if (!values.length) return;
  const least = low ?? Math.min(...values);
  const span = (high ?? Math.max(...values)) - least;
  const x = (i) => (values.length > 1 ? (i / (values.length - 1)) * (width - 4) + 2 : width / 2);
  const y = (v) => (span > 0 ? height - 4 - ((v - least) / span) * (height - 8) : height / 2);
  context.strokeStyle = colour(name);
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.beginPath();
  values.forEach((v, i) => (i ? context.lineTo(x(i), y(v)) : context.moveTo(x(i), y(v))));
  context.stroke();
  if (values.length === 1) {
    context.fillStyle = colour(name);
    context.fillRect(x(0) - 2, y(values[0]) - 2, 4, 4);
  }
}

// Values as bars from a line at zero; the largest stands out.
export function bars(canvas, values, { name = "accent", soft = "accent-soft" } = {}) {
  const { context, width, height } = begin(canvas);
  const numbers = values.map((v) => v ?? 0);
  const low = Math.min(0, ...numbers);
  const high = Math.max(0, ...numbers);
  const span = high - low || 1;
  const zero = height - 2 - ((0 - low) / span) * (height - 4);
  const step = width / numbers.length;
  const best = numbers.indexOf(Math.max(...numbers));
  numbers.forEach((v, i) => {
    const top = height - 2 - ((v - low) / span) * (height - 4);
    context.fillStyle = colour(i === best ? name : soft);
    const gap = step > 3 ? 1 : 0;
    context.fillRect(i * step, Math.min(top, zero), Math.max(1, step - gap), Math.max(1, Math.abs(top - zero)));
  });
  context.fillStyle = colour("dim");
  context.fillRect(0, zero, width, 1);
}

// How often values lay where, between their least and greatest.
export function histogram(canvas, values, bins = 32) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (!(high > low)) return false;
  const counts = new Array(bins).fill(0);
  for (const v of values) counts[Math.min(bins - 1, Math.floor(((v - low) / (high - low)) * bins))] += 1;
  bars(canvas, counts, { name: "second", soft: "second" });
  return true;
}

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

// The input as the message describes it: an image in large pixels with what was detected in it, or a wave.
export function picture(canvas, input, boxes = []) {
  const data = bytes(input.data);
  if (input.kind === "wave") {
    line(canvas, Array.from(data), { low: 0, high: 255, name: "second" });
    return;
  }
  const { rows, columns, channels } = input;
  // Tall images are mostly time from top to bottom, as spectrograms are: turned, time runs to the right.
  const turned = rows > 2 * columns;
  const across = turned ? rows : columns;
  const down = turned ? columns : rows;
  const scale = Math.min(canvas.clientWidth / across, HIGHEST / down);
  const { context } = begin(canvas, Math.ceil(down * scale));
  const image = new ImageData(across, down);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * channels;
      const at = 4 * (turned ? (columns - 1 - column) * across + row : row * across + column);
      for (let c = 0; c < 3; c++) image.data[at + c] = data[from + (channels === 3 ? c : 0)];
      image.data[at + 3] = 255;
    }
  }
  const small = document.createElement("canvas");
  small.width = across;
  small.height = down;
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, across * scale, down * scale);
  if (!turned) boxes.forEach((box) => mark(context, box, across * scale, down * scale));
}

// A box with its class and score; corners are parts of the image.
function mark(context, box, width, height) {
  const [left, top] = [box.xmin * width, box.ymin * height];
  context.strokeStyle = "#ff9d2e";
  context.lineWidth = 2;
  context.strokeRect(left, top, (box.xmax - box.xmin) * width, (box.ymax - box.ymin) * height);
  context.font = "11px sans-serif";
  const text = `${box.label} ${box.score.toFixed(2)}`;
  context.fillStyle = "#ff9d2e";
  context.fillRect(left, top, context.measureText(text).width + 6, 14);
  context.fillStyle = "#000";
  context.fillText(text, left + 3, top + 11);
}

function svg(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

// Blocks of memory over time: ops from left to right, addresses from bottom to top.
export function arena(parent, blocks, size, ops) {
  parent.replaceChildren();
  const [width, height, left, bottom] = [Math.max(200, parent.clientWidth), 240, 58, 22];
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" }, parent);
  root.setAttribute("aria-label", `arena of ${size} bytes over ${ops} operators`);
  const first = Math.min(-1, ...blocks.map((b) => b.first));
  const last = Math.max(ops, ...blocks.map((b) => b.last));
  const x = (op) => left + ((op - first) / (last - first + 1)) * (width - left - 4);
  const y = (offset) => height - bottom - (offset / size) * (height - bottom - 8);
  for (const part of [0, 0.5, 1]) {
    svg("line", { x1: left, x2: width, y1: y(part * size), y2: y(part * size) }, root);
    const label = svg("text", { x: left - 6, y: y(part * size) + 4, "text-anchor": "end" }, root);
    label.textContent = Math.round(part * size).toLocaleString("en-US");
  }
  blocks.forEach((block, position) => {
    const shade = block.name.startsWith("scratch of ") ? "scratch" : position % 2 ? "odd" : "";
    const box = { x: x(block.first), y: y(block.offset + block.size), class: shade };
    box.width = Math.max(1, x(block.last + 1) - x(block.first));
    box.height = Math.max(1, y(block.offset) - y(block.offset + block.size));
    const title = svg("title", {}, svg("rect", box, root));
    title.textContent =
      `${block.name}\n${block.size.toLocaleString("en-US")} bytes at ${block.offset.toLocaleString("en-US")}, ` +
      `ops ${block.first} to ${block.last}`;
  });
  svg("text", { x: left, y: height - 8 }, root).textContent = "input";
  svg("text", { x: width - 4, y: height - 8, "text-anchor": "end" }, root).textContent = "output";
}
