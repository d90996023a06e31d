// Calls that no form of the page makes: several texts at once, a score on new rows, a training on rows in the request.

import { makeCall } from "./calls.js";
import { showCall } from "./panel.js";

const ROWS = {
  SentimentAnalysis: [
    ["a warm and funny film", "POSITIVE"],
    ["that movie was boring", "NEGATIVE"],
  ],
  NER: [
    ["Anna Smith moved to Paris", [{ start: 0, end: 10, label: "PER" }, { start: 20, end: 25, label: "LOC" }]],
    ["it rained all day", []],
  ],
};

export function showMoreCalls(facts, url) {
  if (facts.hasModel && facts.texts) showTexts(facts, url);
  if (facts.hasModel && facts.target) {
    const parts = { query: [["_action", "score"]], files: [{ name: "rows.csv" }] };
    showCall("model", "Score it on a file of rows with the truth", makeCall("POST", url, parts));
  }
  if (facts.tuned) {
    const query = [["_action", "train"], ["num_train_epochs", 3]];
    const rows = ROWS[facts.tuned.class].map(([text, truth]) => ({ [facts.tuned.column]: text, [facts.tuned.target]: truth }));
    showCall("training", "Train on rows in the request", makeCall("POST", url, { query, json: rows }));
  }
}

function showTexts(facts, url) {
  const texts = ROWS[facts.kind === "classifier" ? "SentimentAnalysis" : "NER"].map(([text]) => text);
  const [name] = Object.keys(facts.example);
  showCall("predict", "Ask about several texts at once", makeCall("GET", url, { query: texts.map((text) => [name, text]) }));
  if (facts.hasProbabilities) {
    // A TextHandler names its text as it likes; the model's column of texts has another name.
    const query = [...texts.map((text) => [facts.text?.column ?? name, text]), ["_output", "proba"]];
    showCall("predict", "Ask for the probability of every class", makeCall("GET", url, { query }));
  }
}
