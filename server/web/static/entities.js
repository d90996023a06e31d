// Entities in a text. The server counts Unicode code points, strings here are UTF-16: both are made lists of the former.

import { make } from "./elements.js";

const COLOURS = 6;

/** The text with its entities marked, each with its type; `labels` are {start, end, label}, in the text's order. */
export function markedText(text, labels) {
  const characters = Array.from(text);
  const place = make("p", "marked-text breakable");
  let at = 0;
  labels.forEach(({ start, end, label }) => {
    place.append(characters.slice(at, start).join(""), entity(characters.slice(start, end).join(""), label));
    at = end;
  });
  place.append(characters.slice(at).join(""));
  return place;
}

/** Only the entities, for a cell of a table. */
export function entityList(text, labels) {
  const characters = Array.from(text);
  const list = make("span", "entity-list");
  labels.forEach(({ start, end, label }) => list.append(entity(characters.slice(start, end).join(""), label), " "));
  if (!labels.length) list.append(make("span", "quiet", "none"));
  return list;
}

export function entityCount(labels) {
  return labels.length === 1 ? "1 entity" : `${labels.length.toLocaleString("en")} entities`;
}

function entity(words, label) {
  const mark = make("mark", `entity entity-${colourOf(label)}`, words);
  // The space is for those who hear it, or copy it; the type stays on the line of the last word.
  mark.append("\u00a0", make("span", "entity-type", label));
  return mark;
}

/** Types of one name have one colour everywhere; the name stands beside it. */
function colourOf(label) {
  return Array.from(label).reduce((sum, character) => (31 * sum + character.codePointAt(0)) % 997, 7) % COLOURS;
}
