// The table: performs every call of rows.json, compares what the browser said with what it should
// say under the shipped policies, and does so again whenever another configuration is in force.

const LOOK_EVERY_MS = 200;

const json = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
  return response.json();
};

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const byId = (id) => document.getElementById(id);

// === callers: this page, a stranger, a sandbox ===

/** A frame under another origin that performs calls for us. */
async function openFrame(attributes) {
  const frame = element("iframe", { hidden: true, title: "a caller from another origin" });
  for (const [name, value] of Object.entries(attributes)) frame.setAttribute(name, value);
  const answers = new Map();
  const loaded = new Promise((resolve) => {
    addEventListener("message", ({ source, data }) => {
      if (source !== frame.contentWindow) return;
      if (data.loaded) resolve();
      else answers.get(data.number)?.(data.said);
    });
  });
  document.body.append(frame);
  await loaded;
  return (call, url, number) => new Promise((said) => {
    answers.set(number, said);
    frame.contentWindow.postMessage({ number, call, url }, "*");
  });
}

async function openCallers(stranger) {
  const [fromStranger, fromSandbox] = await Promise.all([
    openFrame({ src: `${stranger}/caller.html` }),
    openFrame({ src: "/caller.html", sandbox: "allow-scripts" }),
  ]);
  return { page: perform, stranger: fromStranger, sandbox: fromSandbox };
}

// === the rows ===

/** What the browser said; of a blocked call also whether the API saw it all the same. */
async function said(row, { api, callers }) {
  const number = Math.random().toString(36).slice(2);
  const url = `${api}${row.call.path}?call=${number}`;
  const words = await callers[row.from ?? "page"](row.call, url, number);
  if (words !== "blocked") return words;
  const { arrived } = await json(`/arrived.json?call=${number}`);
  return arrived ? "blocked, but arrived" : "blocked, never arrived";
}

/** Forgets the cookie of an earlier run. It is the API's too: cookies do not tell ports apart. */
async function logOut() {
  const response = await fetch("/logout", { method: "POST" });
  if (!response.ok) throw new Error(`/logout: ${response.status}`);
}

/** Performs every row, each after the one it names; the rest side by side. */
async function performAll(rows, demo, show) {
  await logOut();
  const done = new Map();
  const performRow = async (row) => {
    await done.get(row.after);
    const words = await said(row, demo);
    show(row, words);
    return { id: row.id, said: words, expected: row.expect };
  };
  for (const row of rows) done.set(row.id, performRow(row));
  return Promise.all(done.values());
}

// === what is shown ===

const CALLERS = {
  page: () => location.origin,
  stranger: (demo) => demo.stranger,
  sandbox: () => "null (sandboxed frame)",
};

function callText({ call }) {
  if (call.websocket) return `new WebSocket("${call.path}")`;
  const { path, reveal, ...options } = call;
  const written = Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return written.length ? `fetch("${path}", { ${written.join(", ")} })` : `fetch("${path}")`;
}

/** Text in which backticks mark code. */
const prose = (text) => text.split("`").map((part, index) =>
  index % 2 ? element("code", { textContent: part }) : part);

function rowElement(row, demo) {
  const from = row.from ?? "page";
  return element("tr", { id: row.id },
    element("td", {},
      element("code", { textContent: callText(row) }),
      element("small", { className: `from ${from}`, textContent: `from ${CALLERS[from](demo)}` })),
    element("td", { className: "said", textContent: "…" }),
    element("td", { className: "expected", textContent: row.expect }),
    element("td", { className: "why" }, ...prose(row.why)));
}

function drawTable(groups, demo) {
  const bodies = groups.map(({ group, rows }) => element("tbody", {},
    element("tr", {}, element("th", { colSpan: 4, scope: "colgroup", textContent: group })),
    ...rows.map((row) => rowElement(row, demo))));
  byId("table").append(...bodies);
}

function showRow(row, words) {
  const shown = byId(row.id);
  shown.className = words === row.expect ? "agrees" : "differs";
  shown.querySelector(".said").textContent = words;
}

function showTotal(results) {
  const agreeing = results.filter(({ said, expected }) => said === expected).length;
  const total = byId("total");
  total.className = agreeing === results.length ? "agrees" : "differs";
  total.textContent = agreeing === results.length
    ? `All ${results.length} rows agree`
    : `${agreeing} of ${results.length} rows agree; the others show what the policy in force changes`;
}

/** The files as they are written, and what the operator found in them. */
function showPolicies({ files, policies }) {
  byId("none").hidden = policies.policies.some(({ inForce }) => inForce);
  byId("files").replaceChildren(...files.flatMap(({ name, text }) => [
    element("h3", { textContent: name }),
    element("pre", {}, element("code", { textContent: text })),
  ]));
  const found = [
    ...policies.policies.map(({ namespace, name, findings }) => [`${namespace}/${name}`, findings]),
    ...policies.files.map(({ file, findings }) => [file, findings]),
  ];
  const findings = found.flatMap(([place, findings]) => findings.map((finding) => ({ place, ...finding })));
  byId("findings").replaceChildren(...findings.map(findingElement));
  const refused = findings.some(isRefusal);
  byId("refused").hidden = !refused;
  byId("found").hidden = findings.length === 0;
  byId("found").open = refused;
}

const isRefusal = ({ severity }) => severity === "refusal";

function findingElement(finding) {
  const { code, place, field, message } = finding;
  return element("li", { className: isRefusal(finding) ? "refusal" : "" },
    element("b", { textContent: code }), ` ${place} `, element("code", { textContent: field }), ": ",
    ...prose(message));
}

// === the loop ===

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));

/** Follows what is in force, and runs the table under each configuration. */
async function follow(rows, demo) {
  let ran;
  let drawn;
  const look = async () => {
    const state = await json("/state.json");
    const text = JSON.stringify(state);
    if (text !== drawn) showPolicies(state);
    drawn = text;
    return state.inForce;
  };
  for (;;) {
    try {
      const inForce = await look();
      if (inForce !== ran) {
        ran = inForce;
        const results = await performAll(rows, demo, showRow);
        showTotal(results);
        // The operator says what it published a moment after Envoy has it.
        await look();
        window.tableDone?.({ inForce: ran, noPolicy: !byId("none").hidden, rows: results });
      }
      document.body.classList.remove("gone");
    } catch (error) {
      // The demo was stopped, or is starting again.
      console.info(error.message);
      document.body.classList.add("gone");
      ran = undefined;
    }
    await pause();
  }
}

async function main() {
  const [demo, groups] = await Promise.all([json("/demo.json"), json("/rows.json")]);
  for (const place of document.querySelectorAll("[data-place]")) {
    place.textContent = { ...demo, page: location.origin }[place.dataset.place];
  }
  drawTable(groups, demo);
  demo.callers = await openCallers(demo.stranger);
  await follow(groups.flatMap(({ rows }) => rows), demo);
}

main();
