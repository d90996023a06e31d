// The page of an endpoint: starts its parts, and keeps the address in step with the open tab.

import { send, makeCall } from "./calls.js";
import { find, findAll, make, problemNote, problemOf } from "./elements.js";
import { MESSAGE, startAppending, startManyRows, startTraining } from "./files.js";
import { startFollowing } from "./follow.js";
import { openTab, showCall, startPanel } from "./panel.js";
import { startPredicting } from "./predict.js";
import { showMoreCalls } from "./samples.js";

const LONGEST_VALUE = 300;
const facts = JSON.parse(find("#facts").textContent);
const url = new URL(facts.url, location.href).href;

function start() {
  startPanel();
  if (find("#predict-form [data-column]")) startPredicting(find("#predict"), facts, url);
  if (find("#rows-form")) startManyRows(find("#rows-form"), facts, url);
  startAppending(find("#append-form"), facts, url);
  startTraining(find("#training-form"), facts, url);
  findAll("details[data-view]").forEach((fold) => fold.addEventListener("toggle", () => fill(fold), { once: true }));
  showCall("model", "Read its options, parameters and what it learned", makeCall("GET", url, { query: [["_params", ""]] }));
  showMoreCalls(facts, url);
  findAll(".pictures img").forEach((picture) => picture.addEventListener("error", () => explain(picture), { once: true }));
  startTabs();
  sayWhatHappened();
  startFollowing(facts, url);
}

function startTabs() {
  const tabs = findAll('[role="tab"]');
  tabs.forEach((tab) =>
    tab.addEventListener("shown.bs.tab", () => {
      history.replaceState(null, "", tab.hash);
      openTab(tab.hash.slice(1));
    }),
  );
  const asked = tabs.find((tab) => tab.hash === location.hash);
  const active = tabs.find((tab) => tab.classList.contains("active"));
  openTab((asked || active).hash.slice(1));
  if (asked && asked !== active) window.bootstrap.Tab.getOrCreateInstance(asked).show();
}

/** The message that the page left for itself before it was loaded anew. */
function sayWhatHappened() {
  const kept = JSON.parse(sessionStorage.getItem(MESSAGE) || "null");
  sessionStorage.removeItem(MESSAGE);
  if (kept?.page !== location.pathname) return;
  const place = find("#announcement");
  place.hidden = false;
  place.tabIndex = -1;
  place.textContent = kept.message;
  place.focus();
}

/** Parameters or learned attributes, asked for when they are unfolded: they can be long. */
async function fill(fold) {
  const answer = await send(makeCall("GET", url, { query: [[fold.dataset.view, ""]] }));
  if (!answer.ok) return;
  const values = JSON.parse(await answer.blob.text())[fold.dataset.part];
  const list = make("dl", "pairs");
  Object.entries(values).forEach(([name, value]) => {
    const text = JSON.stringify(value);
    list.append(make("dt", "breakable", name));
    list.append(make("dd", "code breakable", text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text));
  });
  fold.append(Object.keys(values).length ? list : make("p", "quiet", "None."));
}

/** A picture that cannot be drawn is replaced by the reason. */
async function explain(picture) {
  const answer = await send(makeCall("GET", picture.src));
  if (!answer.ok) picture.replaceWith(problemNote(await problemOf(answer)));
}

start();
