// What is done with files and what changes the endpoint: many predictions, more rows, a training.

import { makeCall, send } from "./calls.js";
import { counted, find, findAll, make, problemNote, problemOf, showWork } from "./elements.js";
import { entityList } from "./entities.js";
import { trainingNow } from "./follow.js";
import { showCall } from "./panel.js";
import { fillTable, readCsv } from "./tables.js";

const MOST_ROWS = 100;
const PLACEHOLDER = [{ name: "rows.csv" }];
export const MESSAGE = "restimator:message";

export function startManyRows(form, facts, url) {
  const input = find("#rows-files", form);
  const result = find("#rows-result");
  const callFor = (options = []) =>
    makeCall("POST", url, { query: [["_action", "predict"], ...options], files: [...input.files] });
  const show = () =>
    showCall("rows", "Predict every row of a file", { ...callFor(), files: input.files.length ? [...input.files] : PLACEHOLDER });
  let sent = null;
  input.addEventListener("change", () => {
    // What stands below belongs to another file.
    result.hidden = true;
    show();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    result.hidden = true;
    sent = callFor([["_output", "records"]]);
    const csv = await work(form, sent, facts, "csv");
    if (!csv) return;
    const { header, rows, count } = readCsv(await csv.text(), MOST_ROWS);
    fillTable(find("#rows-table"), header, rows, new Set(facts.answers), drawnCells(facts, header));
    const all = count > rows.length ? `${counted(count, "row")}, the first ${rows.length} shown` : counted(count, "row");
    const title = find("#rows-title");
    title.textContent = `Result: ${all}`;
    offer(find("#rows-csv"), csv);
    result.hidden = false;
    title.focus();
  });
  find("#rows-xlsx").addEventListener("click", async () => {
    const workbook = await work(form, sent, facts, "xlsx");
    if (!workbook) return;
    const link = make("a");
    link.download = "predictions.xlsx";
    offer(link, workbook);
    link.click();
  });
  show();
}

/** How cells are shown that are hard to read as text: entities by the words that they are. */
function drawnCells(facts, header) {
  if (facts.kind !== "entity recognizer") return {};
  const text = header.indexOf(facts.column);
  return Object.fromEntries(facts.answers.map((name) => [name, (cell, row) => entityList(row[text] ?? "", JSON.parse(cell))]));
}

function offer(link, blob) {
  if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(blob);
}

export function startAppending(form, facts, url) {
  const input = find("#append-files", form);
  const callFor = () => makeCall("POST", url, { query: [["_action", "append"]], files: [...input.files] });
  const show = () =>
    showCall("data", "Add the rows of a file", { ...callFor(), files: input.files.length ? [...input.files] : PLACEHOLDER });
  input.addEventListener("change", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await work(form, callFor(), facts);
    if (!answer) return;
    const { rows, appended } = JSON.parse(await answer.text());
    reload("data", `${counted(appended, "row")} added; the training data now holds ${counted(rows, "row")}.`);
  });
  show();
}

export function startTraining(form, facts, url) {
  const callFor = () => {
    const files = [...find("#training-files", form).files];
    return makeCall("POST", url, { query: [["_action", "train"]], fields: changes(form), files });
  };
  const show = () => {
    const chosen = find("[data-chosen]", form);
    if (chosen) chosen.textContent = findAll("[name=include]:checked", form).length;
    showCall("training", "Train with these changes", callFor());
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await work(form, callFor(), facts, "json", trainingNow);
    if (!answer) return;
    const said = JSON.parse(await answer.text());
    const score = said.score ?? said.roc_auc;
    const known = typeof score === "number" ? ` Score ${Number(score.toPrecision(3))} on the rows it learned from.` : "";
    reload("training", `Trained.${known}`);
  });
  // Training arguments belong to some classes only.
  const fold = find("[data-for]", form);
  const choose = () => {
    if (fold) fold.hidden = fold.disabled = !fold.dataset.for.split(" ").includes(find("#training-class").value.trim());
  };
  form.addEventListener("input", choose);
  choose();
  show();
}

/** What differs from the settings that hold: what nobody touched is not sent, and so stays as it is configured. */
function changes(form) {
  const fields = findAll("[data-before]:not([type=checkbox]):not(:disabled)", form)
    .map((field) => [field, field.tagName === "SELECT" ? field.value : field.value.trim()])
    .filter(([field, value]) => value !== field.dataset.before)
    .map(([field, value]) => [field.name, value || (field.dataset.default ?? value)]);
  const boxes = findAll("[name=include]", form);
  if (boxes.some((box) => box.checked !== "before" in box.dataset)) {
    const every = boxes.every((box) => box.checked);
    const names = every ? [""] : boxes.filter((box) => box.checked).map((box) => box.value);
    fields.push(...names.map((name) => ["include", name]));
    if (every) fields.push(["exclude", ""]);
  }
  const lines = find("#training-parameters", form).value.split("\n").filter((line) => line.trim());
  return [...fields, ...lines.map(parameter)];
}

function parameter(line) {
  const at = line.indexOf("=");
  return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

/** Send the call, showing that work goes on; the answer, or null after an error, which is shown in the form. */
async function work(form, call, facts, format = "json", working = () => ({ text: "The server is working" })) {
  const outcome = find("[data-outcome]", form);
  const bytes = call.files.reduce((sum, file) => sum + file.size, 0);
  if (bytes > facts.mostBytes) {
    const limit = Math.round(facts.mostBytes / 2 ** 20);
    outcome.replaceChildren(problemNote({ detail: `these files are larger than ${limit} MiB (server.limits.body_mb)`, errors: [] }));
    return null;
  }
  let uploaded = call.files.length ? 0 : 1;
  const done = showWork(form, () => (uploaded < 1 ? { text: "Uploading", share: uploaded } : working()));
  outcome.replaceChildren(make("span", "visually-hidden", "The work has begun."));
  try {
    const query = format === "json" ? call.query : [...call.query, ["_format", format]];
    const answer = await send({ ...call, query }, (share) => {
      uploaded = share;
    });
    outcome.replaceChildren(...(answer.ok ? [] : [problemNote(await problemOf(answer))]));
    return answer.ok ? answer.blob : null;
  } catch (error) {
    outcome.replaceChildren(problemNote({ detail: error.message, errors: [] }));
    return null;
  } finally {
    done();
  }
}

/** The whole page anew, for all of it may have changed; what to say is kept for it. */
function reload(tab, message) {
  sessionStorage.setItem(MESSAGE, JSON.stringify({ page: location.pathname, message }));
  history.replaceState(null, "", `#${tab}`);
  location.reload();
}
