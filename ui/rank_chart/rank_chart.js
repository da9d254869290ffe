// Rank over strokes; rank 1 is at the top of a logarithmic axis.

const HEIGHT = 156;
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 14, 26, 32];

export default function (component) {
  const { data, parentElement } = component;
  let figure = parentElement.querySelector("figure");
  if (!figure) {
    figure = document.createElement("figure");
    figure.setAttribute("role", "img");
    parentElement.appendChild(figure);
    figure.observer = new ResizeObserver(() => figure.draw?.());
  }
  figure.setAttribute("aria-label", data.words);
  figure.draw = () => draw(figure, data);
  figure.observer.observe(figure);
  figure.draw();
  return () => figure.observer.disconnect();
}

function draw(figure, { ranks, ticks }) {
  const width = Math.max(240, figure.clientWidth);
  const [first, last] = [ranks[0][0], ranks.at(-1)[0]];
  const worst = Math.max(2, ...ranks.map(([, rank]) => rank));
  const x = (count) => LEFT + (width - LEFT - RIGHT) * (last > first ? (count - first) / (last - first) : 0.5);
  const y = (rank) => TOP + (HEIGHT - TOP - BOTTOM) * Math.log(rank) / Math.log(worst);
  const svg = made("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, "aria-hidden": "true" });
  for (const tick of ticks) {
    svg.append(made("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }));
    svg.append(label(LEFT - 10, y(tick) + 4, tick.toLocaleString("en"), "end"));
  }
  const step = Math.ceil((last - first + 1) / Math.max(2, Math.floor(width / 60)));
  for (let count = first; count <= last; count += step) svg.append(label(x(count), HEIGHT - 16, count, "middle"));
  svg.append(label(LEFT - 10, 10, "rank", "end"));
  svg.append(label(width - RIGHT, HEIGHT - 1, "strokes drawn", "end"));
  svg.append(made("polyline", { class: "way", points: ranks.map(([count, rank]) => `${x(count)},${y(rank)}`).join(" ") }));
  for (const [count, rank] of ranks) {
    const dot = made("circle", { cx: x(count), cy: y(rank), r: 4.5 });
    const title = made("title", {});
    title.textContent = `rank ${rank} after ${count} ${count === 1 ? "stroke" : "strokes"}`;
    dot.append(title);
    svg.append(dot);
  }
  figure.replaceChildren(svg);
}

function label(x, y, words, anchor) {
  const text = made("text", { x, y, "text-anchor": anchor });
  text.textContent = words;
  return text;
}

function made(name, values) {
  const one = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) one.setAttribute(key, value);
  return one;
}
