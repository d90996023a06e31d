// Pages that change by themselves: asked for again while something goes on, and renewed only where they differ.

import { makeCall, send } from "./calls.js";
import { find, findAll } from "./elements.js";

const RETRY = 2000;
// Answers that take long are asked for less often: at most a tenth of the time.
const REST = 9;

/** Look again and again: `look` resolves to the milliseconds until the next time, or to null when all is told. */
export function follow(look) {
  const turn = async () => {
    let pause = RETRY;
    try {
      const began = Date.now();
      if (!document.hidden) pause = await look();
      if (pause !== null) pause = Math.max(pause, REST * (Date.now() - began));
    } catch {
      // The server may be starting anew; it is asked again.
    }
    if (pause !== null) setTimeout(turn, pause);
  };
  return turn();
}

/** What this page's address answers with these options beside its own. */
async function answerWith(options) {
  const query = new URLSearchParams(location.search);
  Object.entries(options).forEach(([name, value]) => query.set(name, value));
  const answer = await send(makeCall("GET", location.pathname, { query: [...query] }));
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.blob.text();
}

export async function askJson(options = {}) {
  return JSON.parse(await answerWith({ ...options, _format: "json" }));
}

/** Put what differs on the page as it would be now into this one; what is read or clicked elsewhere stays in place. */
export async function renew() {
  const now = new DOMParser().parseFromString(await answerWith({ _format: "html" }), "text/html");
  const lists = findAll("[data-live-list]");
  if (lists.length !== findAll("[data-live-list]", now).length) {
    location.reload();
    return;
  }
  lists.forEach((list) => arrange(list, find(`[data-live-list="${list.dataset.liveList}"]`, now)));
  findAll("[data-live]").forEach((part) => {
    const other = find(`[data-live="${CSS.escape(part.dataset.live)}"]`, now);
    if (other) put(part, other);
  });
}

/** Let the list have the parts that the other one has, in its order. */
function arrange(list, other) {
  const own = new Map([...list.children].map((part) => [part.dataset.live, part]));
  [...other.children].forEach((part, index) => {
    const kept = own.get(part.dataset.live) ?? part.cloneNode(true);
    if (list.children[index] !== kept) list.insertBefore(kept, list.children[index] ?? null);
  });
  while (list.children.length > other.children.length) list.lastElementChild.remove();
}

function put(part, other) {
  // What is unfolded stays so.
  findAll("details[open]", part).forEach((fold) => find(`#${CSS.escape(fold.id)}`, other)?.setAttribute("open", ""));
  if (part.innerHTML === other.innerHTML) return;
  const focused = part.contains(document.activeElement) ? keyOf(document.activeElement) : undefined;
  part.replaceChildren(...other.childNodes);
  if (focused === undefined) return;
  // The keyboard goes on where it was, or else from the top.
  (findAll("a, button, summary, [tabindex]", part).find((one) => keyOf(one) === focused) ?? find("h1")).focus();
}

/** What tells the element from the others of its part. */
function keyOf(element) {
  return element.getAttribute("href") ?? (element.id || element.parentElement.id);
}
