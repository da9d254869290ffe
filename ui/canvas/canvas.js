// The drawing surface. The strokes live here and are kept over a reload of the tab; after every
// change the whole drawing is sent with a number that only rises. At most one drawing is under way:
// what is drawn meanwhile waits, and only the newest is sent when the answer to the last has come.

const SIDE = 256; // of the canvas, in the units of the points
const NEAR = 0.4; // points closer to one another than this are one
const REACH = 5; // of the eraser
const STEP = 4; // of the arrow keys
const HISTORY = 200; // changes that can be undone
const KEPT = "fgir.canvas";
const FIRST_WAIT = 4000; // ms until an unanswered drawing is sent again; doubles each time
const TRACED = 640; // longer side of the picture to trace, in pixels

const pads = new WeakMap();

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let pad = pads.get(parentElement);
  if (!pad) {
    pad = new Pad(parentElement);
    pads.set(parentElement, pad);
  }
  pad.connect((drawing) => setStateValue("drawing", drawing));
  pad.receive(data);
  return () => pad.disconnect();
}

class Pad {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.pencil = this.canvas.getContext("2d");
    this.image = root.querySelector(".paper img");
    this.strokes = [];
    this.past = [];
    this.future = [];
    this.number = 0; // of the newest drawing
    this.shown = 0; // of the drawing whose answer the page shows
    this.underWay = 0; // number of the drawing that is sent and not answered; 0: none
    this.wait = FIRST_WAIT;
    this.width = 2.5;
    this.tool = "pen";
    this.stroke = null;
    this.pointer = null;
    this.erased = null;
    this.cursor = null; // of the keyboard
    this.loaded = "";
    this.trace = "";
    this.opacity = 40;
    this.limits = { strokes: Infinity, points: Infinity };
    this.restore();
    this.listen();
    this.render();
  }

  // ---- the page -------------------------------------------------------------------------------

  connect(send) {
    this.send = send;
    this.keys?.abort();
    this.keys = new AbortController();
    document.addEventListener("keydown", (event) => this.shortcut(event), { signal: this.keys.signal });
  }

  disconnect() {
    this.keys?.abort();
    clearTimeout(this.timer);
    this.observer?.disconnect();
    this.observer = null;
    this.underWay = 0;
  }

  receive(data) {
    this.observe();
    this.limits = { strokes: data.most_strokes, points: data.most_points };
    this.shown = data.shown;
    if (data.loaded && data.loaded.token !== this.loaded) {
      this.loaded = data.loaded.token;
      this.started = undefined;
      this.change(data.loaded.strokes);
    }
    if (this.underWay && data.shown >= this.underWay) this.underWay = 0;
    if (this.underWay) this.watch();
    setTimeout(() => this.flush(), 0);
    this.render();
  }

  flush() {
    // A page that has just been loaded knows no drawing; one that is blank need not be told of.
    const blank = !this.strokes.length && !this.shown;
    if (this.underWay || this.number <= this.shown || blank || !this.send) return;
    this.underWay = this.number;
    this.wait = FIRST_WAIT;
    this.post();
    this.render();
  }

  post() {
    const canvas = JSON.stringify({ width: SIDE, height: SIDE, strokes: this.strokes });
    this.send({ number: this.underWay, canvas, loaded: this.loaded });
    this.watch();
  }

  watch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.underWay) return;
      this.underWay = this.number;
      this.wait *= 2;
      this.post();
    }, this.wait);
  }

  // ---- the drawing ----------------------------------------------------------------------------

  change(strokes) {
    this.past.push(this.strokes);
    if (this.past.length > HISTORY) this.past.shift();
    this.future = [];
    this.show(strokes);
  }

  show(strokes) {
    this.strokes = strokes;
    this.number += 1;
    this.keep();
    this.render();
    this.flush();
  }

  undo() {
    if (!this.past.length || this.stroke) return;
    this.future.push(this.strokes);
    this.show(this.past.pop());
  }

  redo() {
    if (!this.future.length || this.stroke) return;
    this.past.push(this.strokes);
    this.show(this.future.pop());
  }

  clear() {
    if (this.strokes.length && !this.stroke) this.change([]);
  }

  begin(x, y, time, pressure) {
    const points = this.strokes.reduce((sum, stroke) => sum + stroke.p.length, 0);
    if (this.strokes.length >= this.limits.strokes || points >= this.limits.points) {
      this.say("The drawing is full. Take something away, or go on with fewer strokes.");
      return;
    }
    this.say("");
    if (!this.strokes.length) this.started = undefined;
    this.room = this.limits.points - points;
    this.started ??= time - this.lastTime() - (this.strokes.length ? 1000 : 0);
    this.stroke = { w: this.width, erase: false, p: [] };
    this.add(x, y, time, pressure);
  }

  add(x, y, time, pressure) {
    const points = this.stroke.p;
    const last = points.at(-1);
    if (points.length >= this.room) return;
    if (last && Math.hypot(x - last[0], y - last[1]) < NEAR) return;
    const passed = Math.max(0, Math.round(time - this.started));
    points.push([round(x, 2), round(y, 2), passed, round(Math.min(1, Math.max(0, pressure)), 3)]);
    this.line(this.stroke, Math.max(0, points.length - 2));
  }

  finish() {
    const stroke = this.stroke;
    this.stroke = null;
    if (stroke?.p.length) this.change([...this.strokes, stroke]);
  }

  lastTime() {
    const times = this.strokes.flatMap((stroke) => stroke.p.map((point) => point[2] ?? 0));
    return times.reduce((most, time) => Math.max(most, time), 0);
  }

  erase(from, to) {
    const touched = (stroke) => stroke.p.some((point, i) =>
      apart(from, to, point, stroke.p[i + 1] ?? point) < REACH + stroke.w / 2);
    const left = this.strokes.filter((stroke) => !touched(stroke));
    if (left.length === this.strokes.length) return;
    this.erased ??= this.strokes; // what undo goes back to, however much one movement takes away
    this.strokes = left;
    this.render();
  }

  stopErasing() {
    if (!this.erased) return;
    const left = this.strokes;
    this.strokes = this.erased;
    this.erased = null;
    this.change(left);
  }

  // ---- what is kept over a reload -------------------------------------------------------------

  keep() {
    const { strokes, number, width, loaded, trace, opacity } = this;
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ strokes, number, width, loaded, trace, opacity }));
    } catch {
      try { // without the picture to trace there may be room
        sessionStorage.setItem(KEPT, JSON.stringify({ strokes, number, width, loaded, opacity }));
      } catch { /* no storage in this browser: the drawing lives as long as the page */ }
    }
  }

  restore() {
    try {
      Object.assign(this, JSON.parse(sessionStorage.getItem(KEPT)));
    } catch { /* nothing kept */ }
  }

  // ---- mouse, touch and pen -------------------------------------------------------------------

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, (event) => this.up(event));
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => {
      this.cursor = null;
      this.root.querySelector(".paper").classList.remove("pointed");
      this.finish();
      this.render();
    });
    const file = this.root.querySelector("[data-trace]");
    file.addEventListener("change", () => this.lay(file));
    this.root.querySelector("[data-opacity]").addEventListener("input", (event) => {
      this.opacity = Number(event.target.value);
      this.keep();
      this.render();
    });
    this.root.querySelector(".pad").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.press(button, file);
    });
  }

  press(button, file) {
    if (button.dataset.width) this.width = Number(button.dataset.width);
    const actions = {
      pen: () => { this.tool = "pen"; },
      eraser: () => { this.tool = "eraser"; },
      undo: () => this.undo(),
      redo: () => this.redo(),
      clear: () => this.clear(),
      trace: () => file.click(),
      untrace: () => { this.trace = ""; this.keep(); },
    };
    actions[button.dataset.do]?.();
    this.render();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  }

  down(event) {
    if (this.pointer !== null || ![0, 5].includes(event.button)) return; // 5: the pen's other end
    event.preventDefault();
    this.finish(); // of the keyboard
    this.cursor = null;
    this.canvas.focus({ preventScroll: true });
    this.root.querySelector(".paper").classList.add("pointed"); // the ring is for the keyboard
    this.pointer = event.pointerId;
    this.erasing = this.tool === "eraser" || event.button === 5;
    this.at = this.place(event);
    try { this.canvas.setPointerCapture(event.pointerId); } catch { /* it has gone already */ }
    if (this.erasing) this.erase(this.at, this.at);
    else this.begin(...this.at, performance.timeOrigin + event.timeStamp, event.pressure);
    this.controls();
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) {
      const to = this.place(one);
      if (this.erasing) this.erase(this.at, to);
      else if (this.stroke) this.add(...to, performance.timeOrigin + one.timeStamp, one.pressure);
      this.at = to;
    }
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    if (this.erasing) this.stopErasing();
    else this.finish();
  }

  // ---- the keyboard ---------------------------------------------------------------------------

  shortcut(event) {
    const target = event.composedPath()[0];
    if (target.matches?.("input:not([type=range]), textarea, select, [contenteditable=true]")) return;
    if (event.altKey || document.querySelector("[role=dialog]")) return;
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    let act = null;
    if (control && key === "z") act = event.shiftKey ? () => this.redo() : () => this.undo();
    else if (control && key === "y") act = () => this.redo();
    else if (!control && key === "p") act = () => { this.tool = "pen"; };
    else if (!control && key === "e") act = () => { this.tool = "eraser"; };
    else if (!control && key === "delete") act = () => this.clear();
    if (!act) return;
    event.preventDefault();
    act();
    this.render();
  }

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = moves[event.key];
    if (event.ctrlKey || event.metaKey || !(way || [" ", "Enter", "Escape"].includes(event.key))) return;
    event.preventDefault();
    if (this.pointer !== null) return;
    const now = performance.timeOrigin + event.timeStamp;
    const before = this.cursor ?? [SIDE / 2, SIDE / 2];
    this.cursor = before;
    this.root.querySelector(".paper").classList.remove("pointed");
    if (way) {
      const step = event.shiftKey ? 4 * STEP : STEP;
      this.cursor = before.map((value, axis) => Math.min(SIDE, Math.max(0, value + step * way[axis])));
      if (this.tool === "eraser" && this.erased) this.erase(before, this.cursor);
      else if (this.stroke) this.add(...this.cursor, now, 0.5);
    } else if (event.key === "Escape") {
      this.stroke = null;
    } else if (this.tool === "eraser") {
      this.erase(this.cursor, this.cursor);
      this.stopErasing();
    } else if (this.stroke) {
      this.finish();
    } else {
      this.begin(...this.cursor, now, 0.5);
    }
    this.render();
  }

  // ---- the picture to trace -------------------------------------------------------------------

  async lay(file) {
    const [chosen] = file.files;
    file.value = "";
    if (!chosen) return;
    try {
      const picture = await createImageBitmap(chosen);
      const scale = Math.min(1, TRACED / Math.max(picture.width, picture.height));
      const small = document.createElement("canvas");
      small.width = Math.max(1, Math.round(picture.width * scale));
      small.height = Math.max(1, Math.round(picture.height * scale));
      small.getContext("2d").drawImage(picture, 0, 0, small.width, small.height);
      this.trace = small.toDataURL("image/jpeg", 0.85);
      this.say("");
    } catch {
      this.say("A picture to trace must be a PNG, JPEG or WebP that can be read. Choose another one.");
    }
    this.keep();
    this.render();
  }

  // ---- pixels ---------------------------------------------------------------------------------

  observe() {
    this.observer ??= new ResizeObserver(() => this.render());
    this.observer.observe(this.canvas);
  }

  render() {
    const size = Math.max(1, Math.round(this.canvas.clientWidth * (window.devicePixelRatio || 1)));
    if (this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
    const pencil = this.pencil;
    pencil.setTransform(size / SIDE, 0, 0, size / SIDE, 0, 0);
    pencil.clearRect(0, 0, SIDE, SIDE);
    pencil.lineCap = pencil.lineJoin = "round";
    pencil.strokeStyle = pencil.fillStyle = "#111";
    for (const stroke of this.stroke ? [...this.strokes, this.stroke] : this.strokes) this.line(stroke, 0);
    if (this.cursor) this.cross(...this.cursor);
    this.controls();
  }

  line(stroke, from) {
    const pencil = this.pencil;
    const points = stroke.p;
    pencil.lineWidth = stroke.w;
    pencil.beginPath();
    pencil.moveTo(points[from][0], points[from][1]);
    for (const point of points.slice(from + 1)) pencil.lineTo(point[0], point[1]);
    if (points.length === 1) pencil.lineTo(points[0][0], points[0][1] + 0.01);
    pencil.stroke();
  }

  cross(x, y) {
    const pencil = this.pencil;
    pencil.save();
    pencil.strokeStyle = this.stroke ? "#c23b32" : "#0072b2";
    pencil.lineWidth = 1;
    pencil.beginPath();
    for (const [dx, dy] of [[1, 0], [0, 1]]) {
      pencil.moveTo(x - 7 * dx, y - 7 * dy);
      pencil.lineTo(x + 7 * dx, y + 7 * dy);
    }
    pencil.stroke();
    pencil.restore();
  }

  controls() {
    const find = (name) => this.root.querySelector(`[data-do=${name}]`);
    find("pen").setAttribute("aria-pressed", this.tool === "pen");
    find("eraser").setAttribute("aria-pressed", this.tool === "eraser");
    find("undo").disabled = !this.past.length;
    find("redo").disabled = !this.future.length;
    find("clear").disabled = !this.strokes.length;
    for (const button of this.root.querySelectorAll("[data-width]")) {
      button.setAttribute("aria-pressed", Number(button.dataset.width) === this.width);
    }
    this.root.querySelector(".paper").classList.toggle("erasing", this.tool === "eraser");
    const empty = !this.strokes.length && !this.stroke;
    this.root.querySelector(".hint").hidden = !empty || Boolean(this.trace);
    const count = this.strokes.length;
    const words = count ? `${count} ${count === 1 ? "stroke" : "strokes"}` : "";
    this.root.querySelector(".count").textContent = words;
    this.root.querySelector(".busy").hidden = !this.underWay;
    this.canvas.setAttribute("aria-label", `Drawing area, ${words || "empty"}`);
    this.root.querySelector(".tracing").hidden = this.image.hidden = !this.trace;
    if (this.trace && this.image.src !== this.trace) this.image.src = this.trace;
    this.image.style.opacity = this.opacity / 100;
    this.root.querySelector("[data-opacity]").value = this.opacity;
  }

  say(words) {
    this.root.querySelector(".said").textContent = words;
  }
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}

// Distance between two stretches a-b and c-d that may be single points.
function apart(a, b, c, d) {
  if (crossing(a, b, c, d)) return 0;
  return Math.min(toStretch(a, c, d), toStretch(b, c, d), toStretch(c, a, b), toStretch(d, a, b));
}

function side(a, b, c) {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

function crossing(a, b, c, d) {
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

function toStretch(point, from, to) {
  const [x, y] = [to[0] - from[0], to[1] - from[1]];
  const length = x * x + y * y;
  const along = length ? ((point[0] - from[0]) * x + (point[1] - from[1]) * y) / length : 0;
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(point[0] - from[0] - share * x, point[1] - from[1] - share * y);
}
