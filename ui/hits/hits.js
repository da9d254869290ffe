// Pictures in a grid, best first. A click tells which one is meant; a second one takes it back.
// Cards keep their place in memory by the id of their item, so that a picture that stays in the
// answer does not flicker. Names and labels are set as text, never as HTML.

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component;
  let list = parentElement.querySelector("ol");
  if (!list) {
    list = document.createElement("ol");
    list.cards = new Map();
    parentElement.appendChild(list);
  }
  list.setAttribute("aria-label", data.title);
  list.dataset.number = data.number;
  const cards = new Map();
  data.hits.forEach((hit, place) => {
    const card = list.cards.get(hit.id) ?? made();
    fill(card, hit, data);
    offer(card, hit, data.actions, (name) => setTriggerValue("act", { name, id: hit.id }));
    card.button.onclick = () => {
      const chosen = card.button.getAttribute("aria-pressed") === "true" ? null : hit.id;
      setStateValue("chosen", { id: chosen, at: Date.now() });
    };
    if (list.children[place] !== card.item) list.insertBefore(card.item, list.children[place] ?? null);
    cards.set(hit.id, card);
  });
  while (list.children.length > data.hits.length) list.lastChild.remove();
  list.cards = cards;
}

function made() {
  const card = { item: document.createElement("li"), button: document.createElement("button") };
  card.button.type = "button";
  card.item.appendChild(card.button);
  card.frame = part(card.button, "span", "frame");
  card.image = part(card.frame, "img", "");
  card.image.alt = ""; // the button says it
  card.gone = part(card.frame, "em", "");
  card.gone.textContent = "picture not found";
  card.mark = part(card.frame, "span", "mark");
  card.line = part(card.button, "span", "line");
  card.rank = part(card.line, "span", "rank");
  card.score = part(card.line, "span", "score");
  card.label = part(card.button, "span", "label");
  card.facts = part(card.button, "span", "facts");
  card.actions = part(card.item, "span", "actions");
  return card;
}

function fill(card, hit, { chosen, click }) {
  const ranked = hit.rank !== null;
  card.line.style.display = ranked ? "" : "none";
  card.rank.textContent = ranked ? hit.rank : "";
  card.score.textContent = ranked ? hit.score.toFixed(3) : "";
  card.label.textContent = hit.label;
  card.facts.replaceChildren(...(hit.facts ?? []).map((fact) => {
    const line = document.createElement("span");
    line.textContent = fact;
    return line;
  }));
  card.mark.textContent = click.mark;
  card.image.hidden = !hit.picture;
  card.gone.hidden = Boolean(hit.picture);
  if (hit.picture && card.image.src !== hit.picture) card.image.src = hit.picture;
  const place = ranked ? `Rank ${hit.rank}, score ${hit.score.toFixed(3)}, ` : "";
  card.button.setAttribute("aria-label", `${place}${hit.label}. ${click.says}`);
  card.button.setAttribute("aria-pressed", hit.id === chosen);
  card.button.title = `${hit.id}\n${click.hint}`;
}

// Buttons stay the same elements, so that the keyboard does not lose its place.
function offer(card, hit, actions, act) {
  while (card.actions.children.length > actions.length) card.actions.lastChild.remove();
  actions.forEach(({ name, sign, says }, place) => {
    const button = card.actions.children[place] ?? part(card.actions, "button", "");
    button.type = "button";
    button.textContent = sign;
    button.title = says;
    button.setAttribute("aria-label", `${says}: ${hit.label}, ${hit.id}`);
    button.setAttribute("aria-pressed", String((hit.pressed ?? []).includes(name)));
    button.onclick = () => act(name);
  });
}

function part(parent, name, kind) {
  const one = document.createElement(name);
  if (kind) one.className = kind;
  parent.appendChild(one);
  return one;
}
