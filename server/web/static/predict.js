// The form of one row: asks the server, shows the answer, and puts errors beside the fields they concern.

import { makeCall, send } from "./calls.js";
import { find, findAll, make, placeOf, problemNote, problemOf } from "./elements.js";
import { entityCount, markedText } from "./entities.js";
import { showCall } from "./panel.js";

// gunicorn takes 8,190 characters in the first line of a request.
const LONGEST_URL = 6000;
const MOST_CLASSES = 8;
const LONG_ANSWER = 24;
const PATIENCE = 1000; // milliseconds
const RECOGNIZER = "entity recognizer";

// Fields are named by users, and a form's named fields hide its own properties: the pane is asked instead.
export function startPredicting(pane, facts, url) {
  const columns = () => findAll("[data-column]", pane);
  const what = facts.kind === RECOGNIZER ? "Find the entities in this text" : facts.texts ? "Classify this text" : "Predict this row";
  const show = () => showCall("predict", what, callFor(url, rowOf(columns())));
  pane.addEventListener("input", show);
  pane.addEventListener("reset", () => setTimeout(() => {
    clearErrors(columns());
    show();
  }));
  pane.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
    predict(pane, columns(), facts, url);
  });
  show();
}

function rowOf(columns) {
  return columns.map((field) => [field.getAttribute("name"), valueOf(field)]);
}

/** Numbers as numbers where nothing of them is lost by it. */
function valueOf(field) {
  const number = field.getAttribute("type") === "number" && field.value !== "" && Number(field.value);
  return typeof number === "number" && String(number) === field.value ? number : field.value;
}

/** A GET where the row can be told in a URL; names that begin with _ are options there. */
function callFor(url, row, options = []) {
  const call = makeCall("GET", url, { query: [...row, ...options] });
  const length = new URLSearchParams(call.query).toString().length + url.length;
  if (length <= LONGEST_URL && !row.some(([name]) => name.startsWith("_"))) return call;
  const cells = Object.fromEntries(row.map(([name, value]) => [name, value === "" ? null : value]));
  return makeCall("POST", url, { query: options, json: [cells] });
}

async function predict(pane, columns, facts, url) {
  const place = find("#answer", pane);
  clearErrors(columns);
  place.setAttribute("aria-busy", "true");
  // The first question to a text model waits for its weights.
  const waiting = setTimeout(() => place.replaceChildren(make("p", "quiet", "Waiting for the answer …")), PATIENCE);
  try {
    const row = rowOf(columns);
    const asked = send(callFor(url, row, facts.text ? [] : [["_output", "values"]]));
    // A TextHandler names its text as it likes; the model's column of texts has another name.
    const cells = facts.text ? row.map(([, text]) => [facts.text.column, text]) : row;
    const weighed = facts.hasProbabilities ? send(callFor(url, cells, [["_output", "proba"]])) : null;
    const [values, chances] = await Promise.all([asked, weighed]);
    if (!values.ok) {
      showProblem(place, columns, await problemOf(values));
      return;
    }
    const answer = JSON.parse(await values.blob.text());
    const [chance] = chances?.ok ? JSON.parse(await chances.blob.text()) : [];
    const value = facts.text ? answer.prediction : answer[0];
    place.replaceChildren(...(facts.kind === RECOGNIZER ? entityParts(value) : answerParts(value, chance, facts)));
  } catch (error) {
    place.replaceChildren(problemNote({ detail: error.message, errors: [] }));
  } finally {
    clearTimeout(waiting);
    place.removeAttribute("aria-busy");
  }
}

function entityParts({ text, labels }) {
  return [make("h2", "", entityCount(labels)), markedText(text, labels)];
}

function answerParts(answer, chance, facts) {
  const names = facts.answers;
  // A label with its score; the score is among the bars.
  const value = chance && answer?.label !== undefined ? answer.label : answer;
  if (Array.isArray(value) || (names.length > 1 && value === answer)) {
    const cells = [value].flat();
    return [make("h2", "", "Answer"), pairsList(cells.map((cell, index) => [names[index] ?? `${index}`, textOf(cell)]))];
  }
  const text = textOf(value);
  const parts = [
    make("p", "answer-name breakable", facts.target || names[0] || "Answer"),
    make("p", text.length > LONG_ANSWER ? "answer-value long breakable" : "answer-value breakable", text),
  ];
  if (chance) parts.push(bars(Object.entries(chance).map(([name, part]) => [facts.text?.labels[name] ?? name, part])));
  return parts;
}

function textOf(value) {
  if (value === null) return "no answer";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function pairsList(pairs) {
  const list = make("dl", "pairs");
  pairs.forEach(([name, text]) => list.append(make("dt", "breakable", name), make("dd", "breakable", text)));
  return list;
}

/** The likeliest classes with a bar each. */
function bars(chances) {
  const sorted = chances.sort((one, other) => other[1] - one[1]);
  const list = make("dl", "bars");
  sorted.slice(0, MOST_CLASSES).forEach(([name, chance]) => {
    const cell = make("dd");
    const bar = make("span", "bar");
    bar.setAttribute("aria-hidden", "true");
    const part = make("span");
    part.style.width = `${100 * chance}%`;
    bar.append(part);
    cell.append(bar, make("span", "bar-number", `${(100 * chance).toFixed(1)} %`));
    list.append(make("dt", "breakable", name), cell);
  });
  if (sorted.length > MOST_CLASSES) {
    list.append(make("dt", "quiet", `${sorted.length - MOST_CLASSES} more classes`), make("dd"));
  }
  return list;
}

function showProblem(place, columns, problem) {
  const concerned = problem.errors.map((error) => {
    const { column } = placeOf(error.pointer);
    const field = columns.find((candidate) => candidate.getAttribute("name") === column);
    if (field) markWrong(field, error.detail);
    return field;
  });
  place.replaceChildren(problemNote(problem));
  concerned.find(Boolean)?.focus();
}

function markWrong(field, detail) {
  const fold = field.closest("details");
  if (fold) fold.open = true;
  field.classList.add("is-invalid");
  field.setAttribute("aria-invalid", "true");
  find(`#${field.id}-error`).textContent = detail;
}

function clearErrors(columns) {
  columns.forEach((field) => {
    field.classList.remove("is-invalid");
    field.removeAttribute("aria-invalid");
    find(`#${field.id}-error`).textContent = "";
  });
}
