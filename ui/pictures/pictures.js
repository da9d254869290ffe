// Pictures in a grid or a strip. Where they can be chosen, a click chooses one and another click
// takes it back; what is chosen is sent as a whole, so that a message that is lost loses nothing.
// Names and labels are set as text, never as HTML.

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let list = parentElement.querySelector("ol");
  if (!list) {
    list = document.createElement("ol");
    list.cards = new Map();
    list.sent = 0;
    parentElement.appendChild(list);
  }
  list.setAttribute("aria-label", data.title);
  list.className = data.strip ? "strip" : "grid";
  if (data.seen >= list.sent) list.chosen = [...data.chosen]; // else the answer to an older click
  const cards = new Map();
  data.cards.forEach((one, place) => {
    const card = list.cards.get(one.id) ?? made(data.choosable);
    fill(card, one, data.choosable, list.chosen.includes(one.id));
    if (data.choosable)
      card.body.onclick = () => {
        const on = !list.chosen.includes(one.id);
        list.chosen = on ? [...list.chosen, one.id] : list.chosen.filter((id) => id !== one.id);
        card.body.setAttribute("aria-pressed", on);
        list.sent = Date.now();
        setStateValue("chosen", { ids: list.chosen, at: list.sent });
      };
    if (list.children[place] !== card.item) list.insertBefore(card.item, list.children[place] ?? null);
    cards.set(one.id, card);
  });
  while (list.children.length > data.cards.length) list.lastChild.remove();
  list.cards = cards;
}

function made(choosable) {
  const card = { item: document.createElement("li") };
  card.body = part(card.item, choosable ? "button" : "div", "card");
  if (choosable) card.body.type = "button";
  card.frame = part(card.body, "span", "frame");
  card.image = part(card.frame, "img", "");
  card.gone = part(card.frame, "em", "");
  card.gone.textContent = "picture not found";
  if (choosable) part(card.frame, "span", "mark").textContent = "✓";
  card.label = part(card.body, "span", "label");
  card.note = part(card.body, "span", "note");
  return card;
}

function fill(card, one, choosable, chosen) {
  card.label.textContent = one.label;
  card.label.hidden = !one.label;
  card.note.textContent = one.note;
  card.note.hidden = !one.note;
  card.image.hidden = !one.picture;
  card.gone.hidden = Boolean(one.picture);
  if (one.picture && card.image.src !== one.picture) card.image.src = one.picture;
  card.image.alt = choosable ? "" : one.label || one.id; // a button says it itself
  card.body.title = one.id;
  if (choosable) {
    card.body.setAttribute("aria-label", `${one.label}, ${one.id}`);
    card.body.setAttribute("aria-pressed", chosen);
  }
}

function part(parent, name, kind) {
  const one = document.createElement(name);
  if (kind) one.className = kind;
  parent.appendChild(one);
  return one;
}
