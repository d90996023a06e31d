// The list of runs: follows those that go on, and shows new ones.

import { counted, find, findAll } from "./elements.js";
import { askJson, follow, renew } from "./live.js";

// Milliseconds: while a run goes on, and else.
const OFTEN = 2000;
const SELDOM = 10000;
const facts = JSON.parse(find("#facts").textContent);
let shown = JSON.stringify(facts.runs);

follow(async () => {
  const { runs } = await askJson({ limit: facts.limit });
  const now = JSON.stringify(runs.map((run) => [run.run_id, run.status, run.serving, Object.keys(run.metrics).length]));
  if (now !== shown) {
    await renew();
    shown = now;
  }
  const rows = new Map(findAll("[data-live]").map((row) => [row.dataset.live, row]));
  runs.forEach((run) => showProgress(rows.get(run.run_id), run.progress));
  return runs.some((run) => run.end_time === null) ? OFTEN : SELDOM;
});

function showProgress(row, progress) {
  const place = row && find("[data-progress]", row);
  if (!place) return;
  place.textContent = progress ? `${progress.step.toLocaleString("en")} of ${counted(progress.of, "step")}` : "";
}
