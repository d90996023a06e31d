// The page of a registry's endpoint: follows it, starts and stops tests, changes statuses.

import { makeCall, send } from "./calls.js";
import { find, findAll, problemNote, problemOf } from "./elements.js";
import { follow, renew } from "./live.js";

// Milliseconds: while a test runs, and else.
const OFTEN = 3000;
const SELDOM = 15000;
const { api } = JSON.parse(find("#facts").textContent);
let isFresh = true;
// What the button that opened a dialog is about.
let opener = {};

/** Each dialog's call, made of its fields, the button that opened it and the one that sends it; and what is said then. */
const CALLS = {
  "start-dialog": (fields) => [makeCall("POST", `${api}/abtests`, { json: fields }), "The test runs."],
  "stop-dialog": (_, opener, sender) => [
    makeCall("POST", `${api}/stop_ab_test/${opener.test}`, { query: [["promote", sender.value]] }),
    "The test has ended.",
  ],
  "status-dialog": (fields, opener) => [
    makeCall("POST", `${api}/mlalgorithmstatuses`, { json: { ...fields, parent_mlalgorithm: Number(opener.algorithm) } }),
    `${opener.label} has the status ${fields.status} now.`,
  ],
};

function start() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-opens]");
    if (button) open(find(`#${button.dataset.opens}`), { ...button.dataset });
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });
  findAll("dialog form").forEach((form) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, event.submitter);
  }));
  find("#start-first").addEventListener("change", offerSecond);
  follow(async () => {
    // The page was made a moment ago.
    if (!isFresh) await show();
    isFresh = false;
    return find('[data-opens="stop-dialog"]') ? OFTEN : SELDOM;
  });
}

function open(dialog, data) {
  opener = data;
  findAll("[data-told]", dialog).forEach((place) => (place.textContent = data.label));
  if (data.status) find("[name=status]", dialog).value = data.status;
  find("[data-problem]", dialog).replaceChildren();
  offerSecond();
  dialog.showModal();
}

/** Only another algorithm of the same type can be compared. */
function offerSecond() {
  const first = find("#start-first").selectedOptions[0];
  const second = find("#start-second");
  [...second.options].forEach((option) => {
    option.disabled = option.value === first.value || option.dataset.type !== first.dataset.type;
  });
  if (!second.selectedOptions[0] || second.selectedOptions[0].disabled) {
    second.value = [...second.options].find((option) => !option.disabled)?.value ?? "";
  }
}

async function submit(form, sender) {
  const dialog = form.closest("dialog");
  const place = find("[data-problem]", dialog);
  const given = [...new FormData(form)].filter(([, value]) => value.trim());
  const [call, message] = CALLS[dialog.id](Object.fromEntries(given), opener, sender);
  const buttons = findAll("[type=submit]", form);
  buttons.forEach((button) => (button.disabled = true));
  try {
    const answer = await send(call);
    place.replaceChildren(...(answer.ok ? [] : [problemNote(await problemOf(answer))]));
    if (answer.ok) {
      dialog.close();
      form.reset();
      announce(message);
    }
    await show();
  } catch (error) {
    place.replaceChildren(problemNote({ detail: error.message, errors: [] }));
  }
  buttons.forEach((button) => (button.disabled = false));
  // A button that is gone has lost the keyboard, which goes on from the top.
  if (document.activeElement === document.body) find("h1").focus();
}

async function show() {
  await renew();
  offerSecond();
}

function announce(message) {
  const place = find("#announcement");
  place.textContent = message;
  place.hidden = false;
}

start();
