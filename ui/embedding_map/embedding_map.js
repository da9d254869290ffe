// A map of points. The nearest point under a mouse or a finger shows its label at once, and its
// picture as soon as the server has sent it; arrows go from point to point.

const WIDE = 1000, HIGH = 620, EDGE = 18, NEAR = 26, PATIENCE = 140;
const SVG = "http://www.w3.org/2000/svg";

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let map = parentElement.querySelector(".map");
  if (!map) {
    map = made(parentElement);
    map.pictures = new Map();
  }
  map.ask = (id) => setStateValue("asked", { id, at: Date.now() });
  if (data.picture) {
    map.pictures.set(data.picture[0], data.picture[1]);
    if (map.chosen && map.chosen.id === data.picture[0]) map.image(data.picture[1]);
  }
  const mark = JSON.stringify(data.points);
  if (map.mark === mark) return;
  map.mark = mark;
  draw(map, data);
}

function draw(map, data) {
  const xs = data.points.map((one) => one.x), ys = data.points.map((one) => one.y);
  const scale = Math.min(
    (WIDE - 2 * EDGE) / (Math.max(...xs) - Math.min(...xs) || 1),
    (HIGH - 2 * EDGE) / (Math.max(...ys) - Math.min(...ys) || 1),
  );
  const middle = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2];
  const labels = [...new Set(data.points.map((one) => one.label))].sort();
  const shade = (label) => `hsl(${Math.round(labels.indexOf(label) * 137.508) % 360} 62% 50%)`;
  map.points = data.points.map((one) => ({
    ...one, left: WIDE / 2 + (one.x - middle[0]) * scale, top: HIGH / 2 - (one.y - middle[1]) * scale,
  }));
  map.svg.replaceChildren(
    ...map.points.map((one) => {
      const dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("cx", one.left);
      dot.setAttribute("cy", one.top);
      dot.setAttribute("r", data.points.length > 600 ? 4 : 6);
      dot.setAttribute("fill", shade(one.label));
      return (one.dot = dot);
    }),
  );
  map.svg.setAttribute("aria-label", data.title);
  map.keys.replaceChildren();
  if (labels.length <= 14)
    labels.forEach((label) => {
      const key = part(map.keys, "span", "");
      part(key, "i", "").style.background = shade(label);
      key.append(label || "no label");
    });
  map.choose(null);
}

function made(parent) {
  const map = part(parent, "div", "map");
  const room = part(map, "div", "room");
  map.svg = document.createElementNS(SVG, "svg");
  map.svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  map.svg.setAttribute("role", "img");
  map.svg.setAttribute("tabindex", "0");
  room.appendChild(map.svg);
  const card = part(room, "div", "card");
  const image = part(card, "img", "");
  const label = part(card, "b", ""), id = part(card, "span", "");
  image.alt = "";
  map.keys = part(map, "div", "keys");
  map.image = (uri) => {
    image.hidden = !uri;
    if (uri) image.src = uri;
  };
  let waiting = 0;
  map.choose = (point) => {
    if (map.chosen === point && point) return;
    map.chosen?.dot.classList.remove("chosen");
    map.chosen = point;
    clearTimeout(waiting);
    card.hidden = !point;
    if (!point) return;
    point.dot.classList.add("chosen");
    label.textContent = point.label || "no label";
    id.textContent = point.id;
    map.image(map.pictures.get(point.id));
    card.classList.toggle("right", point.left > WIDE / 2);
    card.classList.toggle("low", point.top > HIGH / 2);
    card.style.setProperty("--x", `${(100 * point.left) / WIDE}%`);
    card.style.setProperty("--y", `${(100 * point.top) / HIGH}%`);
    if (!map.pictures.has(point.id)) waiting = setTimeout(() => map.ask(point.id), PATIENCE);
  };
  const nearest = (event) => {
    const box = map.svg.getBoundingClientRect(), ratio = WIDE / box.width;
    const x = (event.clientX - box.left) * ratio, y = (event.clientY - box.top) * ratio;
    let best = null, least = NEAR * Math.max(1, ratio);
    for (const one of map.points) {
      const far = Math.hypot(one.left - x, one.top - y);
      if (far < least) [best, least] = [one, far];
    }
    map.choose(best);
  };
  map.svg.addEventListener("pointermove", nearest);
  map.svg.addEventListener("pointerdown", nearest);
  map.svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && map.choose(null));
  map.svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !map.points.length) return;
    event.preventDefault();
    const place = map.points.indexOf(map.chosen);
    map.choose(map.points[(place + step + map.points.length) % map.points.length]);
  });
  return map;
}

function part(parent, name, kind) {
  const one = document.createElement(name);
  if (kind) one.className = kind;
  parent.appendChild(one);
  return one;
}
