// CSV as this server writes it (RFC 4180), and tables of text.

/** The first `most` rows of the text, with its header, and how many rows there are in all. */
export function readCsv(text, most) {
  const rows = [];
  let count = 0;
  let cells = [];
  let at = 0;
  const endRow = () => {
    if (count <= most) rows.push(cells);
    count += 1;
    cells = [];
  };
  while (at < text.length) {
    let cell;
    if (text[at] === '"') {
      const end = closingQuote(text, at);
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      let end = at;
      while (end < text.length && text[end] !== "," && text[end] !== "\n" && text[end] !== "\r") end += 1;
      cell = text.slice(at, end);
      at = end;
    }
    cells.push(cell);
    if (text[at] === ",") {
      at += 1;
      if (at === text.length || text[at] === "\n") cells.push("");
      if (text[at] === "\n") {
        at += 1;
        endRow();
      }
      continue;
    }
    if (text[at] === "\r") at += 1;
    if (text[at] === "\n") at += 1;
    endRow();
  }
  if (cells.length) endRow();
  return { header: rows[0] || [], rows: rows.slice(1), count: Math.max(count - 1, 0) };
}

function closingQuote(text, open) {
  let end = text.indexOf('"', open + 1);
  while (end !== -1 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  return end === -1 ? text.length : end;
}

/**
 * Let the table show these rows; columns in `marked` stand out. Cells become text, whatever they hold, but for
 * columns in `drawn`, whose functions make an element of a cell and its row.
 */
export function fillTable(table, header, rows, marked, drawn = {}) {
  table.tHead?.remove();
  [...table.tBodies].forEach((body) => body.remove());
  const top = table.createTHead().insertRow();
  header.forEach((name) => {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    cell.className = marked.has(name) ? "cell marked" : "cell";
    top.append(cell);
  });
  const body = table.createTBody();
  rows.forEach((row) => {
    const line = body.insertRow();
    row.forEach((text, index) => {
      const cell = line.insertCell();
      const name = header[index];
      cell.className = marked.has(name) ? "cell marked" : "cell";
      if (Object.hasOwn(drawn, name)) {
        cell.classList.add("drawn");
        cell.append(drawn[name](text, row));
      } else {
        cell.textContent = marked.has(name) ? rounded(text) : text;
      }
    });
  });
}

/** A long fraction with six digits, as the form shows it; the downloads have them all. */
function rounded(text) {
  return /^-?\d+\.\d{6,}(e[-+]?\d+)?$/.test(text) ? String(Number(Number(text).toPrecision(6))) : text;
}
