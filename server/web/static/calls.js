// A call of the server as one value: sent by the page, and written down for curl, Python and JavaScript.
//
// {method, url, query, fields, files, json}: `query` and `fields` are lists of [name, value], `files` are File objects
// or anything with a name, `json` is a value to be posted.

const INDENT = "    ";

export function makeCall(method, url, parts = {}) {
  return { method, url, query: [], fields: [], files: [], json: undefined, ...parts };
}

export function addressOf(call, shown = call.query) {
  const query = new URLSearchParams(shown.map(([name, value]) => [name, String(value)])).toString();
  return query ? `${call.url}?${query}` : call.url;
}

/** Send the call; resolves to {ok, status, type, blob}, rejects where the connection fails. */
export function send(call, onUpload = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(call.method, addressOf(call));
    request.responseType = "blob";
    request.upload.onprogress = (event) => event.lengthComputable && onUpload(event.loaded / event.total);
    request.upload.onload = () => onUpload(1);
    request.onload = () =>
      resolve({
        ok: request.status < 400,
        status: request.status,
        type: request.getResponseHeader("Content-Type") || "",
        blob: request.response,
      });
    request.onerror = () => reject(new Error("The server cannot be reached, or it closed the connection."));
    request.send(bodyOf(call, request));
  });
}

function bodyOf(call, request) {
  if (call.json !== undefined) {
    request.setRequestHeader("Content-Type", "application/json");
    return JSON.stringify(call.json);
  }
  if (call.files.length) {
    const form = new FormData();
    call.fields.forEach(([name, value]) => form.append(name, value));
    call.files.forEach((file) => form.append("file", file, file.name));
    return form;
  }
  return call.fields.length ? new URLSearchParams(call.fields) : null;
}

/** One word of a POSIX shell: nothing in single quotes means anything to it. */
export function shellWord(text) {
  return `'${String(text).replaceAll("'", "'\\''")}'`;
}

/** A literal that Python and JavaScript read alike: JSON's escapes are theirs, too. */
export function literal(value) {
  return JSON.stringify(value);
}

function pythonLiteral(value) {
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, item]) => `${literal(name)}: ${pythonLiteral(item)}`).join(", ")}}`;
  }
  return literal(value);
}

export function asCurl(call) {
  const inQuery = call.method === "GET";
  const words = inQuery
    ? [`curl -G ${shellWord(call.url)}`, ...call.query.map(dataWord)]
    : [`curl ${call.files.length ? "" : `-X ${call.method} `}${shellWord(addressOf(call))}`];
  if (call.json !== undefined) {
    words.push("-H 'Content-Type: application/json'", `--data-raw ${shellWord(JSON.stringify(call.json))}`);
  } else if (call.files.length) {
    // A plain -F would read files named in values that begin with @ or <.
    words.push(...call.fields.map(([name, value]) => `--form-string ${shellWord(`${name}=${value}`)}`));
    words.push(...call.files.map((file) => `-F ${shellWord(`file=@${fileWord(file.name)}`)}`));
  } else {
    words.push(...call.fields.map(dataWord));
  }
  return words.join(" \\\n  ");
}

function dataWord([name, value]) {
  return `--data-urlencode ${shellWord(`${encodeURIComponent(name)}=${value}`)}`;
}

/** curl's own quotes, where a file's name holds what -F takes for more than a name. */
function fileWord(name) {
  return /[;,"\\]/.test(name) ? `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : name;
}

export function asPython(call) {
  const inQuery = call.method === "GET";
  const options = [];
  if (inQuery && call.query.length) options.push(`params=${pairs(call.query, pythonTuple)}`);
  if (call.json !== undefined) options.push(`json=${pythonLiteral(call.json)}`);
  if (call.fields.length) options.push(`data=${pairs(call.fields, pythonTuple)}`);
  if (call.files.length) {
    const files = call.files.map((file) => `("file", open(${literal(file.name)}, "rb"))`);
    options.push(`files=[${files.join(", ")}]`);
  }
  const address = literal(inQuery ? call.url : addressOf(call));
  const lines = [address, ...options].map((line) => `${INDENT}${line},\n`).join("");
  return `import requests

response = requests.${call.method.toLowerCase()}(
${lines})
response.raise_for_status()
print(response.json())`;
}

function pythonTuple([name, value]) {
  return `(${literal(name)}, ${literal(value)})`;
}

/** An object where every name stands once and says what it is; else a list of pairs. */
function pairs(entries, pair) {
  const unique = new Set(entries.map(([name]) => name)).size === entries.length;
  const open = unique ? "{" : "[";
  const close = unique ? "}" : "]";
  const items = entries.map((entry) => (unique ? `${literal(entry[0])}: ${literal(entry[1])}` : pair(entry)));
  return `${open}\n${items.map((item) => `${INDENT}${INDENT}${item},\n`).join("")}${INDENT}${close}`;
}

export function asJavaScript(call) {
  const lines = [];
  const options = call.method === "GET" ? [] : [`method: ${literal(call.method)}`];
  let address = literal(call.method === "GET" ? call.url : addressOf(call));
  if (call.method === "GET" && call.query.length) {
    lines.push(`const query = new URLSearchParams([\n${list(call.query)}]);`);
    address = `${literal(call.url)} + "?" + query`;
  }
  if (call.json !== undefined) {
    options.push('headers: {"Content-Type": "application/json"}', `body: JSON.stringify(${literal(call.json)})`);
  } else if (call.files.length) {
    lines.push("const body = new FormData();");
    lines.push(...call.fields.map(([name, value]) => `body.append(${literal(name)}, ${literal(value)});`));
    lines.push("// fileInput is your <input type=\"file\" multiple>");
    lines.push('for (const file of fileInput.files) body.append("file", file);');
    options.push("body");
  } else if (call.fields.length) {
    lines.push(`const body = new URLSearchParams([\n${list(call.fields)}]);`);
    options.push("body");
  }
  lines.push(`const response = await fetch(${address}${options.length ? `, {${options.join(", ")}}` : ""});`);
  lines.push("if (!response.ok) throw new Error((await response.json()).detail);");
  lines.push("console.log(await response.json());");
  return lines.join("\n");
}

function list(entries) {
  return entries.map(([name, value]) => `${INDENT}[${literal(name)}, ${literal(value)}],\n`).join("");
}

export const LANGUAGES = { curl: asCurl, Python: asPython, JavaScript: asJavaScript };
