// The page: one section per device, filled by what the socket tells. All names are set as text, never as markup.

import { arena, bars, histogram, line, picture } from "./charts.js";

const HISTORY = 400;
const RETRY_MS = 1000;
const LOG = 50;
const status = document.getElementById("status");
const devices = new Map();
let ended = false;

const number = (value) => value.toLocaleString("en-US");

function short(value) {
  if (value === null) return "not finite";
  return Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

function add(parent, name, text, kind) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  parent.append(node);
  return node;
}

function addBar(parent, share) {
  add(add(parent, "div", undefined, "bar"), "i").style.width = `${(100 * share).toFixed(2)}%`;
}

class DevicePanel {
  constructor(facts) {
    const fragment = document.getElementById("device").content.cloneNode(true);
    this.root = fragment.querySelector(".device");
    this.facts = facts;
    this.costs = facts.costs;
    this.reading = null;
    const find = (selector) => this.root.querySelector(selector);
    this.find = find;
    find("h2").textContent = facts.model;
    const shape = (t) => `${t.dtype}[${t.shape.join(", ")}]`;
    const tensors = `${facts.inputs.map(shape).join(", ")} → ${facts.outputs.map(shape).join(", ")}`;
    find(".sub").textContent = `${facts.name} · ${facts.runtime} · ${tensors} · ${facts.sha256.slice(0, 12)}`;
    this.fillOps();
    this.mapWidth = 0;
    facts.log.forEach((note) => this.note(note));
    for (const text of facts.notes) this.log(text, "", null);
    this.showState(true);
  }

  fillOps() {
    const { ops, unit } = this.facts;
    if (!ops.length) this.find(".ops").classList.add("hidden");
    const most = Math.max(1, ...ops.map((op) => op.cost));
    const sum = ops.reduce((total, op) => total + op.cost, 0);
    for (const op of ops) {
      const row = add(this.find(".ops ol"), "li");
      const name = add(row, "span", op.kind || op.name, "name");
      name.title = op.name;
      if (op.kind) add(name, "small", ` ${op.name}`);
      addBar(row, op.cost / most);
      add(row, "span", number(op.cost), "number");
      add(row, "span", `${sum ? Math.round((100 * op.cost) / sum) : 0} %`, "number");
    }
    this.find(".ops .note").textContent = `${ops.length} operators, ${unit} of one inference that paused after each`;
  }

  drawArena() {
    const { blocks, arena: size, ops } = this.facts;
    const width = this.find(".map").clientWidth;
    if (width === this.mapWidth) return;
    this.mapWidth = width;
    const count = ops.length || Math.max(0, ...blocks.map((b) => b.last));
    if (blocks.length && size) arena(this.find(".map"), blocks, size, count);
    this.find(".arena .note").textContent = blocks.length
      ? `${number(size)} bytes; addresses upwards, operators to the right; grey is scratch memory`
      : `${number(size)} bytes; what is where in it is not known here`;
  }

  showState(connected, rate) {
    const state = this.find(".state");
    state.classList.toggle("lost", !connected);
    const speed = rate ? ` · ${rate.toFixed(1)}/s` : "";
    const count = this.reading ? `${number(this.reading.number)} inferences${speed}` : "waiting";
    state.textContent = connected ? count : "lost, trying to reconnect";
  }

  warn(texts) {
    const list = this.find(".warnings");
    if (list.dataset.shown === JSON.stringify(texts)) return; // screen readers read what changes
    list.dataset.shown = JSON.stringify(texts);
    list.replaceChildren();
    for (const text of texts) add(list, "li", text);
  }

  log(text, kind, time) {
    const list = this.find(".log ol");
    const row = document.createElement("li");
    if (time !== null) add(row, "time", new Date(1000 * time).toLocaleTimeString());
    add(row, "span", kind === "over" ? `over: ${text}` : text, kind);
    list.prepend(row);
    while (list.children.length > LOG) list.lastChild.remove();
  }

  note(note) {
    this.log(note.text, note.kind, note.time);
    this.warn(note.warnings);
    this.showState(note.connected);
  }

  take(reading) {
    this.reading = reading;
    this.costs = this.costs.concat(reading.costs).slice(-HISTORY);
    this.warn(reading.warnings);
    this.showState(reading.connected, reading.rate);
  }

  draw() {
    this.drawArena();
    const reading = this.reading;
    if (!reading) return;
    const classes = this.find(".classes");
    classes.replaceChildren();
    classes.classList.toggle("hidden", !reading.classes.length);
    for (const guess of reading.classes) {
      const row = add(classes, "li");
      add(row, "span", guess.label, "name").title = guess.label;
      addBar(row, guess.share);
      add(row, "span", guess.probability ? `${(100 * guess.value).toFixed(1)} %` : short(guess.value), "number");
    }
    const output = reading.outputs[0];
    const several = output.count > 1;
    this.find(".values").classList.toggle("hidden", !several);
    if (several) bars(this.find(".values"), output.real);
    const shown = output.raw.slice(0, 24).map(short).join(" ");
    const rest = output.count > 24 ? ` … ${number(output.count)} values` : "";
    this.find(".raw").textContent = several ? `raw ${shown}${rest}` : `${short(output.real[0])} (raw ${shown})`;
    this.drawInput(reading);
    this.drawCost(reading);
  }

  drawInput(reading) {
    const canvas = this.find(".picture");
    const { feed } = this.facts;
    canvas.classList.toggle("hidden", !reading.input);
    let text = `${feed}, sample ${number(reading.sample)}`;
    if (reading.input) {
      picture(canvas, reading.input, reading.boxes);
      text += ` · shown from ${short(reading.input.low)} to ${short(reading.input.high)}`;
    } else {
      text += " · recordings do not hold inputs";
    }
    if (reading.outside > 0) text += ` · ${(100 * reading.outside).toFixed(1)} % outside the calibrated range`;
    this.find(".input .note").textContent = text;
  }

  drawCost(reading) {
    const { unit, measured } = this.facts;
    const time = reading.ms === null ? "" : ` · ${measured ? "" : "≈ "}${short(reading.ms)} ms`;
    const energy = reading.uj === null ? "" : ` · ≈ ${short(reading.uj)} µJ`;
    this.find(".figure b").textContent = number(reading.cost);
    this.find(".figure span").textContent = unit + time + energy;
    line(this.find(".line"), this.costs);
    const varied = histogram(this.find(".bins"), this.costs);
    this.find(".bins").classList.toggle("hidden", !varied);
    this.find(".cost .note").textContent =
      reading.lowest === reading.highest
        ? `the same for all ${number(reading.number)} inferences`
        : `${number(reading.lowest)} to ${number(reading.highest)}; above the last ${this.costs.length}, below how often each came`;
  }
}

function handle(message) {
  if (message.type === "end") {
    ended = true;
    say("ended");
    return;
  }
  if (message.type === "device") {
    const panel = new DevicePanel(message);
    const old = devices.get(message.device);
    devices.set(message.device, panel);
    const place = document.getElementById("devices");
    if (old) old.root.replaceWith(panel.root);
    else place.append(panel.root);
    return;
  }
  const panel = devices.get(message.device);
  if (!panel) return;
  if (message.type === "note") panel.note(message);
  else panel.take(message);
}

function say(text, bad) {
  status.textContent = text;
  status.classList.toggle("bad", Boolean(bad));
}

let waiting = false;
function drawSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const panel of devices.values()) panel.draw();
  });
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/socket`);
  socket.onopen = () => say("live");
  socket.onmessage = (event) => {
    handle(JSON.parse(event.data));
    drawSoon();
  };
  socket.onclose = () => {
    if (ended) return;
    say("mcugen monitor does not answer", true);
    setTimeout(connect, RETRY_MS);
  };
}

window.addEventListener("resize", drawSoon);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);
connect();
