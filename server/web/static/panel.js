// "Call it from your program": the call that belongs to the open tab, in the language chosen.

import { LANGUAGES } from "./calls.js";
import { find, findAll } from "./elements.js";

const calls = new Map();
let open = "";
let language = "curl";

/** Remember the call of a tab; it is shown while that tab is open. */
export function showCall(tab, what, call) {
  calls.set(tab, { what, call });
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
  find("#copy").addEventListener("click", copy);
}

function draw() {
  const shown = calls.get(open);
  find(".calls").hidden = !shown;
  if (shown) {
    find("#calls-what").textContent = shown.what;
    find("#call").textContent = LANGUAGES[language](shown.call);
  }
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
