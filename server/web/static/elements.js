// Small pieces of the page. Text is only ever set as text: names and cells come from users.

export const find = (selector, inside = document) => inside.querySelector(selector);
export const findAll = (selector, inside = document) => [...inside.querySelectorAll(selector)];

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

export function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** What a failed answer says: {detail, errors}; errors are {pointer, detail}. */
export async function problemOf(answer) {
  if (answer.type.includes("json")) {
    const document_ = JSON.parse(await answer.blob.text());
    return { detail: document_.detail, errors: document_.errors || [] };
  }
  return { detail: `The server answered with status ${answer.status}.`, errors: [] };
}

/** /3/Age → {row: 3, column: "Age"}; /Age → {column: "Age"} (RFC 6901). */
export function placeOf(pointer) {
  const parts = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.length === 2 && /^\d+$/.test(parts[0]) ? { row: Number(parts[0]), column: parts[1] } : { column: parts[0] };
}

/** The problem as an alert, with a line for each wrong cell. */
export function problemNote(problem) {
  const note = make("div", "note note-bad");
  const detail = make("p", "mb-0 breakable");
  // What stands between backticks is a command.
  sentence(problem.detail).split("`").forEach((part, index) => detail.append(index % 2 ? make("code", "", part) : part));
  note.append(detail);
  if (problem.errors.length > 1) {
    const list = make("ul", "mb-0 mt-2");
    problem.errors.forEach((error) => {
      const { row, column } = placeOf(error.pointer);
      const where = row === undefined ? `${column}: ` : `Row ${row + 1}, `;
      list.append(make("li", "breakable", where + error.detail));
    });
    note.append(list);
  }
  return note;
}

export function sentence(text) {
  const begun = /^\p{L}+( |$)/u.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

/** Show that work goes on in the form until the function that is returned is called; `what` gives {text, share}. */
export function showWork(form, what) {
  const work = find(".work", form);
  const bar = find("progress", work);
  const elapsed = find("[data-elapsed]", work);
  const button = find("button[type=submit]", form);
  const began = Date.now();
  const tick = () => {
    const { text, share } = what();
    elapsed.textContent = `${text}, ${Math.round((Date.now() - began) / 1000)} s`;
    if (share === undefined) bar.removeAttribute("value");
    else bar.value = share;
  };
  form.setAttribute("aria-busy", "true");
  button.disabled = true;
  work.hidden = false;
  tick();
  const timer = setInterval(tick, 500);
  return () => {
    clearInterval(timer);
    work.hidden = true;
    button.disabled = false;
    form.removeAttribute("aria-busy");
  };
}
