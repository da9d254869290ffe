// A picture from the clipboard becomes a file of the page's uploader, as if it had been chosen.

const listeners = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  let button = parentElement.querySelector("button");
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    button.textContent = "Paste a picture";
    button.title = "From the clipboard (Ctrl+V)";
    const said = document.createElement("p");
    said.setAttribute("role", "status");
    parentElement.append(button, said);
  }
  const say = (text) => { parentElement.querySelector("p").textContent = text; };
  const take = (file) => {
    say("");
    const input = document.querySelector(`.st-key-${data.uploader} input[type="file"]`);
    const list = new DataTransfer();
    list.items.add(file);
    input.files = list.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  button.onclick = () => fromClipboard(take, say);
  listeners.get(parentElement)?.abort();
  const listening = new AbortController();
  listeners.set(parentElement, listening);
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    take(file);
  }, { signal: listening.signal });
  return () => listening.abort();
}

async function fromClipboard(take, say) {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (!type) continue;
      take(new File([await item.getType(type)], `pasted.${type.split("/")[1]}`, { type }));
      return;
    }
    say("There is no picture in the clipboard. Copy one first.");
  } catch {
    say("This browser does not give the clipboard to a button. Press Ctrl+V.");
  }
}
