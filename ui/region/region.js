// A photo on which one drags a box, or clicks on the thing that is meant. What is chosen is sent
// when the hand is off it; while it moves, nothing but this component does.

const SMALL = 0.03; // sides of a box below this share of the photo are a slip of the hand
const STEP = 0.02; // of the arrow keys
const FIRST = [0.2, 0.2, 0.8, 0.8]; // the box that the keyboard begins with
const FADED = 0.7;

const views = new WeakMap();

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let view = views.get(parentElement);
  if (!view) {
    view = new View(parentElement);
    views.set(parentElement, view);
  }
  view.send = (region) => setStateValue("region", region);
  view.receive(data);
}

class View {
  constructor(root) {
    this.view = root.querySelector(".view");
    this.photo = root.querySelector(".photo");
    this.image = root.querySelector("img");
    this.canvas = root.querySelector("canvas");
    this.frame = root.querySelector(".box");
    this.said = root.querySelector(".said");
    this.buttons = [...root.querySelectorAll("[data-mode]")].filter((one) => one !== this.view);
    this.drag = null;
    this.sent = 0;
    this.listen();
  }

  receive(data) {
    if (this.drag) return;
    const late = this.data?.photo === data.photo && data.seen < this.sent; // answers an older choice
    this.data = data;
    if (!late) {
      this.mode = data.mode;
      this.box = data.mode === "box" ? data.box : null;
      this.number = data.number;
    }
    if (this.image.src !== data.picture) this.image.src = data.picture;
    this.render();
  }

  choose(mode, more) {
    this.mode = mode;
    Object.assign(this, more);
    this.render();
    this.tell();
  }

  tell() {
    if (this.mode === "box" && !this.box) return; // until there is one, the answer stays
    this.sent = Date.now();
    const sent = { photo: this.data.photo, mode: this.mode, at: this.sent };
    if (this.mode === "box") sent.box = this.box;
    if (this.mode === "object") sent.number = this.number;
    this.send(sent);
  }

  // ---- mouse, touch and pen -------------------------------------------------------------------

  listen() {
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        const mode = button.dataset.mode;
        this.choose(mode, mode === "object" ? { number: 1 } : mode === "whole" ? { box: null } : {});
      });
    }
    this.photo.addEventListener("pointerdown", (event) => this.down(event));
    this.photo.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.photo.addEventListener(name, (event) => this.up(event));
    }
    this.photo.addEventListener("keydown", (event) => this.key(event));
    this.photo.addEventListener("dragstart", (event) => event.preventDefault());
  }

  at(event) {
    const place = this.photo.getBoundingClientRect();
    const border = this.photo.clientLeft;
    return [
      within((event.clientX - place.left - border) / this.photo.clientWidth),
      within((event.clientY - place.top - border) / this.photo.clientHeight),
    ];
  }

  down(event) {
    if (event.button || this.drag) return;
    if (this.mode === "object") return;
    if (this.mode === "whole" && event.pointerType === "touch") return; // a finger scrolls the page
    const corner = event.target.dataset?.corner;
    const start = this.at(event);
    const box = this.box ?? [...start, ...start];
    const inside = event.target === this.frame;
    this.drag = { id: event.pointerId, start, box, kind: corner ?? (inside ? "move" : "new"), before: [this.mode, this.box] };
    this.photo.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (this.drag?.id !== event.pointerId) return;
    const { start, box, kind } = this.drag;
    const [x, y] = this.at(event);
    let [left, top, right, bottom] = box;
    if (kind === "new") [left, top, right, bottom] = [...start, x, y];
    else if (kind === "move") [left, top, right, bottom] = moved(box, x - start[0], y - start[1]);
    else {
      if (kind.includes("w")) left = x; else right = x;
      if (kind.includes("n")) top = y; else bottom = y;
    }
    this.mode = "box";
    this.box = [Math.min(left, right), Math.min(top, bottom), Math.max(left, right), Math.max(top, bottom)];
    this.render();
  }

  up(event) {
    if (this.mode === "object" && event.type === "pointerup") {
      const number = this.region(...this.at(event));
      if (number) this.choose("object", { number });
      return;
    }
    if (this.drag?.id !== event.pointerId) return;
    const [mode, before] = this.drag.before;
    this.drag = null;
    const slip = !this.box || this.box[2] - this.box[0] < SMALL || this.box[3] - this.box[1] < SMALL;
    if (slip) {
      this.mode = mode;
      this.box = before;
      this.render();
    } else if (this.box !== before) this.tell();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    const way = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }[key];
    if (key === "escape") this.choose("whole", { box: null });
    else if (key === "b") this.choose("box", { box: this.box ?? FIRST });
    else if (key === "o") this.choose("object", { number: 1 });
    else if (way && this.mode === "box" && this.box) {
      const [x, y] = way.map((one) => one * STEP);
      this.choose("box", { box: event.shiftKey ? grown(this.box, x, y) : moved(this.box, x, y) });
    } else if (way && this.mode === "object" && this.data.regions) {
      const { count } = this.data.regions;
      const on = way[0] + way[1];
      this.choose("object", { number: ((this.number - 1 + on + count) % count) + 1 });
    } else return;
    event.preventDefault();
  }

  // ---- what one can click on ------------------------------------------------------------------

  region(x, y) {
    const regions = this.data.regions;
    if (!regions) return 0;
    const { labels, shown, filled } = regions;
    const column = cell(x, shown[0], shown[2], filled[0], filled[2], labels[0].length);
    const row = cell(y, shown[1], shown[3], filled[1], filled[3], labels.length);
    return labels[row]?.[column] ?? 0;
  }

  // ---- what one sees --------------------------------------------------------------------------

  render() {
    this.view.dataset.mode = this.mode;
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === this.mode));
    }
    this.frame.hidden = this.mode !== "box" || !this.box;
    if (!this.frame.hidden) {
      const [left, top, right, bottom] = this.box.map((edge) => 100 * edge);
      Object.assign(this.frame.style, {
        left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
      });
    }
    this.fade();
    const words = this.words();
    this.said.textContent = words;
    this.photo.setAttribute("aria-label", `Photo to search with. ${words}`);
  }

  words() {
    if (this.mode === "box" && !this.box) return "Drag a box around the part you mean.";
    if (this.mode === "box") {
      const [width, height] = [this.box[2] - this.box[0], this.box[3] - this.box[1]];
      return `Searching with a box, ${percent(width)} of the width and ${percent(height)} of the height.`;
    }
    if (this.mode === "object" && this.data.regions) {
      const { count } = this.data.regions;
      return count > 1 ? `Part ${this.number} of ${count} that stand out. Click on another one.`
        : "The one part that stands out.";
    }
    return this.mode === "whole" ? "Drag a box, or click on the thing you mean." : "";
  }

  fade() {
    const shown = this.mode === "object" && this.data.regions;
    this.canvas.hidden = !shown;
    if (!shown) return;
    const [width, height] = [240, 240];
    this.canvas.width = width;
    this.canvas.height = height;
    const pencil = this.canvas.getContext("2d");
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const number = this.region((x + 0.5) / width, (y + 0.5) / height);
        if (number === this.number) continue;
        pencil.fillStyle = number ? `rgb(120 120 120 / ${FADED * 0.75})` : `rgb(255 255 255 / ${FADED})`;
        pencil.fillRect(x, y, 1, 1);
      }
    }
  }
}

function cell(at, first, last, from, to, count) {
  const share = (at - first) / (last - first);
  if (share < 0 || share >= 1) return -1;
  return Math.min(count - 1, Math.max(0, Math.floor((from + share * (to - from)) * count)));
}

function moved(box, x, y) {
  const across = Math.min(1 - box[2], Math.max(-box[0], x));
  const down = Math.min(1 - box[3], Math.max(-box[1], y));
  return [box[0] + across, box[1] + down, box[2] + across, box[3] + down];
}

function grown(box, x, y) {
  return [box[0], box[1], within(Math.max(box[0] + SMALL, box[2] + x)), within(Math.max(box[1] + SMALL, box[3] + y))];
}

function within(share) {
  return Math.min(1, Math.max(0, share));
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}
