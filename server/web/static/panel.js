// "Call it from your program": the call that belongs to the open tab, in the language chosen.

import { LANGUAGES } from "./calls.js";
import { find, findAll } from "./elements.js";

// Tab → what a call does → the call; and what of that is shown, if it is not the first.
const calls = new Map();
const chosen = new Map();
let open = "";
let language = "curl";

/** Remember a call of a tab by what it does; the tab's first is shown while it is open, the others can be chosen. */
export function showCall(tab, what, call) {
  if (!calls.has(tab)) calls.set(tab, new Map());
  calls.get(tab).set(what, call);
  if (tab === open) draw();
}

export function openTab(tab) {
  open = tab;
  draw();
}

export function startPanel() {
  const buttons = findAll("[data-language]");
  buttons.forEach((button) =>
    button.addEventListener("click", () => {
      language = button.dataset.language;
      buttons.forEach((other) => {
        other.classList.toggle("active", other === button);
        other.setAttribute("aria-pressed", String(other === button));
      });
      draw();
    }),
  );
  find("#calls-which").addEventListener("change", (event) => {
    chosen.set(open, event.target.value);
    draw();
  });
  find("#copy").addEventListener("click", copy);
}

function draw() {
  const known = calls.get(open);
  find(".calls").hidden = !known;
  if (!known) return;
  const names = [...known.keys()];
  const what = chosen.get(open) ?? names[0];
  find("#calls-what").textContent = names.length > 1 ? "" : what;
  const which = find("#calls-which");
  which.hidden = names.length < 2;
  which.replaceChildren(...names.map((name) => new Option(name, name, false, name === what)));
  find("#call").textContent = LANGUAGES[language](known.get(what));
}

async function copy() {
  const code = find("#call");
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Browsers give the clipboard to secure origins only; the selection is everybody's.
    window.getSelection().selectAllChildren(code);
    said = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  }
  const button = find("#copy");
  button.textContent = said;
  find("#copied").textContent = said;
  setTimeout(() => {
    button.textContent = "Copy";
    find("#copied").textContent = "";
  }, 2000);
}
