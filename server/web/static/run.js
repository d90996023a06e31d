// The page of a run: follows it until all of it is told, cancels it, and lets its model serve.

import { makeCall, send } from "./calls.js";
import { find, problemNote, problemOf } from "./elements.js";
import { askJson, follow, renew } from "./live.js";
import { drawLosses } from "./losses.js";

const EVERY = 1000;
// Scores on rows held out and pictures come after the end: milliseconds between looks for them.
const AFTERWARDS = [1000, 2000, 4000, 8000, 16000, 32000, 64000];
const RECENT = 120; // seconds
const facts = JSON.parse(find("#facts").textContent);
const opened = performance.now();
const address = location.pathname;
const later = [...AFTERWARDS];
let losses = [];

function start() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) ACTIONS[button.dataset.do](button);
  });
  find("#cancel-dialog").addEventListener("close", cancelIfMeant);
  if (facts.hasLosses) readLosses();
  if (facts.sinceEnd === null) follow(look);
  else if (facts.sinceEnd < RECENT) awaitDetails();
}

async function look() {
  const run = await askJson();
  const state = [run.run_id, run.status, run.serving, Object.keys(run.metrics).length];
  const ended = run.end_time !== null;
  if (!ended) showProgress(run);
  if (String(state) !== String(facts.state)) {
    await show();
    facts.state = state;
  }
  if (!ended) return EVERY;
  find("#cancel-dialog").close("");
  if (run.status === "FINISHED") {
    announce(run.serving ? "The training is over: its model serves now." : "The training is over.");
    awaitDetails();
  }
  readLosses();
  return null;
}

/** Show the run as it is now; what can be cancelled goes on. */
async function show() {
  await renew();
  find("#progress").hidden = !find('[data-do="cancel"]');
}

function awaitDetails() {
  setTimeout(() => follow(async () => {
    await show();
    return later.shift() ?? null;
  }), later.shift());
}

function showProgress(run) {
  const bar = find("#progress progress");
  const elapsed = lasting(facts.elapsed + (performance.now() - opened) / 1000);
  const told = find("#progress-told");
  if (!run.progress) {
    told.textContent = `${run.status === "SCHEDULED" ? "Waiting for another training of this endpoint" : "Training"}, ${elapsed}`;
    bar.removeAttribute("value");
    return;
  }
  const { step, of, loss } = run.progress;
  const known = loss === null ? "" : `, loss ${Number(loss.toPrecision(2))}`;
  told.textContent = `Step ${step.toLocaleString("en")} of ${of.toLocaleString("en")}${known}, ${elapsed}`;
  bar.value = step / of;
  if (loss !== null && losses.at(-1)?.step !== step) showLosses([...losses, { step, loss }]);
}

/** '12 s', '3 min 20 s', '2 h 5 min'. */
function lasting(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

async function readLosses() {
  const answer = await send(makeCall("GET", address, { query: [["_losses", ""]] }));
  if (answer.ok) showLosses(JSON.parse(await answer.blob.text()).losses);
}

function showLosses(points) {
  losses = points;
  drawLosses(find("#losses"), losses);
}

const ACTIONS = {
  cancel() {
    const dialog = find("#cancel-dialog");
    dialog.returnValue = "";
    dialog.showModal();
  },
  serve(button) {
    const query = [["_model", ""], ["run", facts.state[0]]];
    change(button, makeCall("PUT", facts.url, { query }), "The model of this run serves now.");
  },
};

function cancelIfMeant() {
  const button = find('[data-do="cancel"]');
  if (find("#cancel-dialog").returnValue === "cancel" && button) change(button, makeCall("DELETE", address));
}

async function change(button, call, message) {
  button.disabled = true;
  button.textContent += " …";
  try {
    const answer = await send(call);
    find("#problem").replaceChildren(...(answer.ok ? [] : [problemNote(await problemOf(answer))]));
    if (answer.ok && message) announce(message);
  } catch (error) {
    find("#problem").replaceChildren(problemNote({ detail: error.message, errors: [] }));
  }
  await show();
  // A button that is gone has lost the keyboard, which goes on from the top.
  if (!button.isConnected && document.activeElement === document.body) find("h1").focus();
}

function announce(message) {
  const place = find("#announcement");
  place.textContent = message;
  place.hidden = false;
}

start();
