// Notes, in the page itself, when what a person waits for is on the screen. All times are of
// performance.now(); performance.timeOrigin makes them times of day.
(() => {
  const strokes = []; // {number, up, sent, answered, painted}
  const waiting = []; // {number, tell}
  const messages = { sent: [], answered: 0 };
  let list = null;
  let shown = 0; // number of the newest drawing whose hits are painted

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", () => { messages.answered = performance.now(); });
    }
    send(data) {
      messages.sent.push(performance.now());
      super.send(data);
    }
  };

  const find = (selector, node = document) => {
    const found = node.querySelector(selector);
    if (found) return found;
    for (const one of node.querySelectorAll("*")) {
      const inner = one.shadowRoot && find(selector, one.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  const frame = () => new Promise((tell) => requestAnimationFrame(tell));
  const painted = async () => {
    await frame();
    await new Promise((tell) => setTimeout(tell)); // the frame that has just begun is drawn by then
    return performance.now();
  };
  const decoded = () =>
    Promise.all([...list.querySelectorAll("img")].map((image) => image.decode().catch(() => {})));

  const changed = async () => {
    const number = Number(list.dataset.number);
    const { answered } = messages;
    await decoded();
    const at = await painted();
    shown = Math.max(shown, number);
    for (const stroke of strokes) {
      if (stroke.number > number || stroke.painted !== undefined) continue;
      const sent = messages.sent.find((one) => one >= stroke.up); // later, where it waits its turn
      Object.assign(stroke, { sent, answered, painted: at });
    }
    for (const one of waiting) if (one.number <= shown) one.tell(true);
  };
  const watch = () => {
    if (list?.isConnected) return;
    list = find("ol[data-number]");
    if (!list) return;
    new MutationObserver(changed).observe(list, { attributes: true, attributeFilter: ["data-number"] });
    changed(); // the first pictures of a page may answer a stroke that did not wait for them
  };

  addEventListener("pointerup", (event) => {
    if (!(event.composedPath()[0] instanceof HTMLCanvasElement)) return;
    watch();
    const { number } = JSON.parse(sessionStorage.getItem("fgir.canvas"));
    strokes.push({ number, up: event.timeStamp });
  });

  const until = async (ready) => {
    for (;;) {
      const value = ready();
      if (value) return value;
      await frame();
    }
  };
  const canvas = until(() => find("canvas")?.clientWidth).then(painted);
  const pictures = until(() => find("ol[data-number] img[src]"))
    .then(() => { watch(); return decoded(); }).then(painted);

  window.marks = {
    strokes,
    day: async (what) => performance.timeOrigin + await { canvas, pictures }[what],
    // Whether the newest drawing is answered within so many milliseconds.
    settled: (milliseconds) => {
      watch();
      const { number } = JSON.parse(sessionStorage.getItem("fgir.canvas"));
      if (number <= shown) return true;
      return new Promise((tell) => {
        waiting.push({ number, tell });
        setTimeout(() => tell(false), milliseconds);
      });
    },
  };
})();
