// Parts of a report page. Only elements that reports are made of are shown, and no handler, link or
// address but that of a picture inside the page: what a name may smuggle in is left out.

const ALLOWED = new Set(
  ("header section h1 h2 h3 p div span b i small ul li table tbody tr th td dl dt dd code figure " +
    "figcaption img wbr details summary svg g line rect circle polygon polyline text title").split(" "),
);

export default function (component) {
  const { data, parentElement } = component;
  let main = parentElement.querySelector("main");
  if (!main) {
    main = document.createElement("main");
    parentElement.appendChild(main);
  }
  if (main.shown === data.html) return;
  main.shown = data.html;
  const read = new DOMParser().parseFromString(data.html, "text/html");
  read.body.querySelectorAll("*").forEach(clean);
  main.replaceChildren(...read.body.childNodes);
}

function clean(element) {
  if (!ALLOWED.has(element.localName)) return element.remove();
  for (const { name, value } of [...element.attributes]) {
    const address = ["src", "href", "xlink:href", "action", "formaction"].includes(name);
    if (name.startsWith("on") || (address && !value.startsWith("data:image/")))
      element.removeAttribute(name);
  }
}
