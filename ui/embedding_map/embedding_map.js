// A map of points. The nearest point under a mouse or a finger shows its label at once, and its
// picture as soon as the server has sent it; points of other labels fade. Arrows go to the next
// point at the right or left, above or below; Escape leaves it.

const NARROW = 520, HIGHEST = 540, EDGE = 18, NEAR = 30, PATIENCE = 140;
const SVG = "http://www.w3.org/2000/svg";

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let map = parentElement.querySelector(".map");
  if (!map) {
    map = made(parentElement);
    map.pictures = new Map();
    map.observer = new ResizeObserver(() => map.room.clientWidth !== map.width && map.data && draw(map));
  }
  map.observer.observe(map.room);
  map.ask = (id) => setStateValue("asked", { id, at: Date.now() });
  if (data.picture) {
    map.pictures.set(data.picture[0], data.picture[1]);
    if (map.chosen && map.chosen.id === data.picture[0]) map.image(data.picture[1]);
  }
  const mark = JSON.stringify([data.points, data.keys]);
  if (map.mark !== mark) {
    map.mark = mark;
    map.data = data;
    map.chosen = null;
    draw(map);
  }
  return () => map.observer.disconnect();
}

function draw(map) {
  const { points, keys, title, note } = map.data;
  const chosen = map.chosen?.id;
  const width = (map.width = map.room.clientWidth);
  const narrow = width < NARROW;
  const high = Math.min(HIGHEST, Math.round(width * (narrow ? 1 : 0.56)));
  map.svg.setAttribute("viewBox", `0 0 ${width} ${high}`);
  map.svg.setAttribute("aria-label", title);
  map.classList.toggle("narrow", narrow);
  const xs = points.map((one) => one.x), ys = points.map((one) => one.y);
  const scale = Math.min(
    (width - 2 * EDGE) / (Math.max(...xs) - Math.min(...xs) || 1),
    (high - 2 * EDGE) / (Math.max(...ys) - Math.min(...ys) || 1),
  );
  const middle = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2];
  const shades = new Map(keys);
  const radius = (narrow ? 3.5 : 5) - (points.length > 600 ? 1 : 0);
  map.points = points.map((one) => ({
    ...one, left: width / 2 + (one.x - middle[0]) * scale, top: high / 2 - (one.y - middle[1]) * scale,
  }));
  map.across = [...map.points].sort((one, other) => one.left - other.left);
  map.down = [...map.points].sort((one, other) => one.top - other.top);
  map.svg.replaceChildren(
    ...map.points.map((one) => {
      const dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("cx", one.left);
      dot.setAttribute("cy", one.top);
      dot.setAttribute("r", radius);
      dot.style.fill = shades.get(one.group) ?? "var(--st-primary-color)";
      return (one.dot = dot);
    }),
  );
  map.keys.replaceChildren();
  for (const [name, shade] of keys) {
    const key = part(map.keys, "span", "");
    part(key, "i", "").style.background = shade;
    key.append(name || "none");
  }
  map.note.textContent = note;
  map.chosen = null;
  map.choose(map.points.find((one) => one.id === chosen) ?? null);
}

function made(parent) {
  const map = part(parent, "div", "map");
  map.keys = part(map, "div", "keys");
  map.note = part(map, "p", "note");
  map.room = part(map, "div", "room");
  map.svg = document.createElementNS(SVG, "svg");
  map.svg.setAttribute("role", "img");
  map.svg.setAttribute("tabindex", "0");
  map.room.appendChild(map.svg);
  const card = part(map.room, "div", "card");
  card.setAttribute("role", "status");
  const image = part(card, "img", "");
  const words = part(card, "div", "");
  const label = part(words, "b", ""), id = part(words, "span", "");
  image.alt = "";
  map.image = (uri) => {
    image.hidden = !uri;
    if (uri) image.src = uri;
  };
  let waiting = 0;
  map.choose = (point) => {
    if (map.chosen === point && point) return;
    map.chosen = point;
    clearTimeout(waiting);
    card.hidden = !point;
    map.svg.classList.toggle("some", Boolean(point));
    for (const one of map.points) {
      one.dot.classList.toggle("chosen", one === point);
      one.dot.classList.toggle("same", one.label === point?.label);
    }
    if (!point) return;
    map.svg.appendChild(point.dot); // over the others
    const same = map.points.filter((one) => one.label === point.label).length;
    label.textContent = point.label || "no label";
    id.textContent = same > 1 && point.label ? `${point.id}, one of ${same}` : point.id;
    map.image(map.pictures.get(point.id));
    card.classList.toggle("right", point.left > map.width / 2);
    card.classList.toggle("low", point.top > map.svg.clientHeight / 2);
    card.style.setProperty("--x", `${point.left}px`);
    card.style.setProperty("--y", `${point.top}px`);
    if (!map.pictures.has(point.id)) waiting = setTimeout(() => map.ask(point.id), PATIENCE);
  };
  const nearest = (event) => {
    const box = map.svg.getBoundingClientRect();
    let best = null, least = NEAR;
    for (const one of map.points) {
      const far = Math.hypot(one.left - (event.clientX - box.left), one.top - (event.clientY - box.top));
      if (far < least) [best, least] = [one, far];
    }
    map.choose(best);
  };
  map.svg.addEventListener("pointermove", nearest);
  map.svg.addEventListener("pointerdown", nearest);
  map.svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && map.choose(null));
  map.svg.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return map.choose(null);
    const order = event.key === "ArrowUp" || event.key === "ArrowDown" ? map.down : map.across;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !order.length) return;
    event.preventDefault();
    const place = map.chosen ? order.indexOf(map.chosen) : step > 0 ? -1 : 0;
    map.choose(order[(place + step + order.length) % order.length]);
  });
  return map;
}

function part(parent, name, kind) {
  const one = document.createElement(name);
  if (kind) one.className = kind;
  parent.appendChild(one);
  return one;
}
