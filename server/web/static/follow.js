// Follows trainings, whoever began them: how far they are, and what serves when they have ended.

import { makeCall, send } from "./calls.js";
import { find, findAll, make } from "./elements.js";
import { follow } from "./live.js";

const EVERY = 2000;
let training = null;

/** How far the running training is: what to say, and the share that is done where it is told. */
export function trainingNow() {
  if (training?.step == null) return { text: "Training" };
  const { step, of, loss } = training;
  const steps = `step ${step.toLocaleString("en")} of ${of.toLocaleString("en")}`;
  return { text: `Training: ${steps}, loss ${Number(loss.toPrecision(2))}`, share: step / of };
}

export function startFollowing(facts, url) {
  const form = find("#training-form");
  follow(async () => {
    const before = training;
    const params = await ask(url);
    if (!params) return EVERY;
    training = params.training;
    // Who trains by the form sees it there, and gets the page anew after it.
    const own = form.hasAttribute("aria-busy");
    show(facts, own);
    if (!own && (facts.waiting || (before && !training) || params.run !== facts.run)) await compare(facts, url);
    return EVERY;
  });
}

async function ask(url) {
  const answer = await send(makeCall("GET", url, { query: [["_params", ""]] }));
  return answer.ok ? JSON.parse(await answer.blob.text()) : null;
}

function show(facts, own) {
  findAll("[data-run]").forEach((link) => {
    link.hidden = !training?.run;
    if (!link.hidden) link.href = `${link.dataset.run}/${training.run}`;
  });
  const card = find("#training-progress");
  const bar = find("progress", card);
  card.hidden = !training || own;
  if (card.hidden) return;
  const { text, share } = trainingNow();
  const known = facts.state === "training" || !facts.hasModel;
  find("#training-told").textContent = known ? text : `${text}. Until it is over, the model before answers.`;
  if (share === undefined) bar.removeAttribute("value");
  else bar.value = share;
}

/** Look at what the page would be now: one that waits for a model is loaded anew, another says what has changed. */
async function compare(facts, url) {
  const answer = await send(makeCall("GET", url));
  const page = new DOMParser().parseFromString(await answer.blob.text(), "text/html");
  const now = JSON.parse(find("#facts", page).textContent);
  if (facts.waiting && !facts.hasModel && (now.hasModel || now.state !== facts.state)) {
    location.reload();
    return;
  }
  facts.waiting = now.waiting;
  if (training || now.waiting) return;
  if (facts.state === "training") find("#reason")?.remove();
  // A page that can be used is not taken away from who uses it.
  if (now.run !== facts.run) announce("A training is over: the new model serves.", "Show it", true);
  else announce("A training has ended without a new model; what was there before still holds.", "Look again", false);
  facts.run = now.run;
}

function announce(message, action, isGood) {
  const place = find("#announcement");
  place.classList.toggle("note-good", isGood);
  const button = make("button", "btn btn-link btn-sm", action);
  button.type = "button";
  button.addEventListener("click", () => location.reload());
  place.replaceChildren(`${message} `, button);
  place.hidden = false;
}
