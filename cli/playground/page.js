// The page: it shows the findings of `corsward check` and the walk of `corsward explain` for its fields.

const byId = (id) => document.getElementById(id);

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

/** Text in which backticks mark code. */
const prose = (text) => text.split("`").map((part, index) => index % 2 ? element("code", { textContent: part }) : part);

const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** A status is read aloud when it changes, and only then. */
const say = (id, text) => { if (byId(id).textContent !== text) byId(id).textContent = text; };

// === the case: the fields, and a link to them

const FIELDS = ["policy", "origin", "method", "url", "headers", "credentials"];

/** What the page holds, compressed and in the letters of base64. */
function unpacked(id) {
  const packed = Uint8Array.from(atob(byId(id).textContent.trim()), (c) => c.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")));
}

const data = await unpacked("data").json();

const fields = () => Object.fromEntries(FIELDS.map((id) => [id, byId(id).value]));

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

const linkTo = ({ headers, ...others }) => {
  const parameters = new URLSearchParams(others);
  for (const line of lines(headers)) parameters.append("header", line);
  return `#${parameters}`;
};

/** The case of the address, completed with that of the first example. */
function linked() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  if (!parameters.has("policy")) return data.examples[0].case;
  const given = { method: "GET", headers: parameters.getAll("header").join("\n"), credentials: "same-origin" };
  for (const id of FIELDS) if (parameters.has(id)) given[id] = parameters.get(id);
  return { ...data.examples[0].case, ...given };
}

function fill(given) {
  for (const id of FIELDS) byId(id).value = given[id];
  // A word that the list does not have is none of the browser's.
  if (!byId("credentials").value) byId("credentials").value = "same-origin";
  byId("policy").scrollTo(0, 0);
  for (const id of ["example", "finding"]) byId(id).value = "";
  byId("manual").hidden = true;
  say("copied", "");
  update();
}

async function copy() {
  history.replaceState(null, "", linkTo(fields()));
  try {
    await navigator.clipboard.writeText(location.href);
    say("copied", "copied");
  } catch {
    say("copied", "the address bar has it");
  }
}

// === the menus

function openMenus() {
  data.examples.forEach(({ title }, at) => byId("example").append(element("option", { value: at, textContent: title })));
  for (const { title, findings } of data.areas) {
    const group = element("optgroup", { label: title });
    for (const { code, fault } of findings) {
      const label = `${code.slice("CORS-".length)}  ${fault.replaceAll("`", "")}`;
      group.append(element("option", { value: code, textContent: label, title: fault }));
    }
    byId("finding").append(group);
  }
  byId("example").addEventListener("change", ({ target }) => {
    const { value } = target;
    if (value === "") return;
    fill(data.examples[value].case);
    target.value = value;
  });
  byId("finding").addEventListener("change", ({ target }) => {
    const { value } = target;
    const all = data.areas.flatMap((area) => area.findings);
    const found = all.find(({ code }) => code === value);
    if (!found) return;
    if (found.policy) fill({ ...data.request, policy: found.policy });
    byId("example").value = "";
    target.value = value;
    showManual(found);
  });
}

function showManual({ code, severity, field, fault, fix, policy }) {
  const manual = byId("manual");
  const absent = policy ? [] : [" ", element("em", { textContent: "A page shows no such finding: it is about files or a cluster." })];
  manual.className = severity;
  manual.replaceChildren(element("strong", { textContent: `${code} ${severity}` }), " ",
    element("code", { textContent: field }), ": ", ...prose(fault), ". Fix: ", ...prose(fix), ".", ...absent);
  manual.hidden = false;
}

// === the policy's text, with findings underlined

/** The places in the text of findings, as offsets. */
function ranges(text, findings) {
  const starts = [0];
  for (const { index } of text.matchAll(/\n/g)) starts.push(index + 1);
  // A column counts characters, and an offset the halves of those beyond the first plane.
  const offset = (line, column) => {
    const start = starts[line - 1] ?? text.length;
    const end = starts[line] ?? text.length;
    return start + Array.from(text.slice(start, end)).slice(0, column - 1).join("").length;
  };
  return findings.map((finding) => ({
    severity: finding.severity,
    line: finding.line,
    start: offset(finding.line, finding.column),
    end: offset(finding.endLine, finding.endColumn),
  }));
}

const WEIGHT = ["refusal", "warning", "hint"];

function underline(text, found) {
  const heavy = found.toSorted((a, b) => WEIGHT.indexOf(a.severity) - WEIGHT.indexOf(b.severity));
  const shown = [];
  for (const range of heavy) {
    if (shown.every(({ start, end }) => range.end <= start || end <= range.start)) shown.push(range);
  }
  shown.sort((a, b) => a.start - b.start);
  const parts = [];
  let at = 0;
  for (const { start, end, severity } of shown) {
    parts.push(text.slice(at, start), element("mark", { className: severity, textContent: text.slice(start, end) }));
    at = end;
  }
  byId("marks").replaceChildren(...parts, `${text.slice(at)}\n`);

  const severities = new Map(heavy.toReversed().map(({ line, severity }) => [line, severity]));
  const numbers = text.split("\n").map((_, index) =>
    element("span", { className: severities.get(index + 1) ?? "", textContent: `${index + 1}\n` }));
  byId("numbers").replaceChildren(...numbers);
  follow();
}

/** Scrolls what lies behind and beside the text with it. */
function follow() {
  const { scrollTop, scrollLeft } = byId("policy");
  byId("marks").scrollTo(scrollLeft, scrollTop);
  byId("numbers").scrollTop = scrollTop;
}

function select({ start, end, line }) {
  const policy = byId("policy");
  policy.focus();
  policy.setSelectionRange(start, end);
  policy.scrollTop = (line - 4) * parseFloat(getComputedStyle(policy).lineHeight);
}

// === the answer

function showFindings(text, findings) {
  const found = ranges(text, findings);
  underline(text, found);
  byId("findings").replaceChildren(...findings.map((finding, at) => {
    const { code, severity, kind, object, field, line, fault, fix } = finding;
    const place = element("button", { type: "button", textContent: `line ${line}` });
    place.addEventListener("click", () => select(found[at]));
    const subject = kind ? `${kind} ${object}` : "";
    return element("li", { className: severity },
      element("p", { className: "head" },
        element("strong", { textContent: `${code} ${severity}` }), " ", place, " ",
        element("code", { className: "field", textContent: field }), " ",
        element("span", { className: "subject", textContent: subject })),
      element("p", { className: "fault" }, ...prose(fault)),
      element("p", { className: "fix" }, ...prose(fix)));
  }));
  const counts = WEIGHT.map((severity) => [findings.filter((it) => it.severity === severity).length, severity]);
  const said = counts.filter(([number]) => number).map(([number, severity]) => count(number, severity)).join(", ");
  say("count", said || "none");
}

const RESULTS = {
  readable: "the page reads the response",
  blocked: "the browser blocks the request",
  "same-origin": "no CORS: the page reads every response",
  unknown: "unknown: the upstream answers",
};

function message(kind, first, headers) {
  const lines = headers.map(({ name, value }) => element("span", {},
    element("b", { textContent: name }), `: ${value}\n`));
  return element("pre", { className: kind }, element("strong", { textContent: `${first}\n` }), ...lines);
}

function showStep({ title, details, sent, policies = [], answer, assumed, passes, conclusion }) {
  const list = (kind, items) => items.length ? [element("ul", { className: kind }, ...items)] : [];
  const judged = policies.map(({ policy, role, verdict, why }) => element("li", { className: role },
    element("code", { textContent: policy }), ` ${role === "decides" ? "" : role === "dryRun" ? "in a dry run " : "alone "}`,
    verdict, ...(why ? [element("small", { textContent: why })] : [])));
  const word = passes === true ? "passes" : passes === false ? "fails" : "open";
  return element("li", { className: word },
    element("h3", {}, ...prose(title)),
    ...list("details", details.map((detail) => element("li", {}, ...prose(detail)))),
    ...(sent ? [element("h4", { textContent: "The browser sends" }), message("sent", `${sent.method} ${sent.target}`, sent.headers)] : []),
    ...(judged.length ? [element("h4", { textContent: "The policy decides" })] : []),
    ...list("policies", judged),
    ...(answer ? [element("h4", { textContent: "The proxy answers" }), message("answer", answer.status, answer.headers)] : []),
    ...(assumed ? [element("small", { className: "assumed" }, ...prose(assumed))] : []),
    ...(conclusion ? [element("p", { className: "conclusion" }, ...prose(conclusion))] : []));
}

function showDiagnosis({ code, message, fix }, hasEdits) {
  return element("article", { className: "diagnosis" },
    element("h3", { textContent: code }),
    element("p", { className: "fault" }, ...prose(message)),
    ...(hasEdits ? [] : [element("p", { className: "fix" }, ...prose(fix))]));
}

function showWalk({ walk, note }) {
  const { proxy, notes = [], steps, diagnoses, edits, refused, result } =
    walk ?? { steps: [], diagnoses: [], edits: [], result: "none" };
  const all = [note, proxy && `The proxy of ${proxy} answers.`, ...notes].filter(Boolean);
  byId("notes").replaceChildren(...all.map((text) => element("p", {}, ...prose(text))));
  byId("notes").hidden = !all.length;
  byId("walk").dataset.result = result;
  say("result", RESULTS[result] ?? "no walk");
  byId("steps").replaceChildren(...steps.map(showStep));
  const beside = diagnoses.map((diagnosis) => showDiagnosis(diagnosis, edits.length > 0));
  if (edits.length) {
    beside.push(element("article", { className: "edits" },
      element("h3", { textContent: "The request passes with these edits" }),
      element("ul", {}, ...edits.map((edit) => element("li", {}, ...prose(edit))))));
  }
  if (refused) {
    beside.push(element("article", { className: "edits" },
      element("h3", { textContent: "An edit that validation refuses" }), element("p", {}, ...prose(refused))));
  }
  byId("diagnoses").replaceChildren(...beside);
}

// === the run

const program = unpacked("module").arrayBuffer().then((bytes) => WebAssembly.compile(bytes));

/** The options of `corsward explain` for the same. */
const options = ({ origin, method, url, headers, credentials }) => [
  `--origin=${origin}`, `--url=${url}`, `--method=${method}`, ...headers.map((line) => `--header=${line}`),
  `--credentials=${credentials}`,
];

const quoted = (word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

let turn = 0;

async function update() {
  const mine = ++turn;
  const { policy, origin, method, url, headers, credentials } = fields();
  const asked = { policy, origin: origin.trim(), method: method.trim(), url: url.trim(), headers: lines(headers), credentials };
  byId("walk").setAttribute("aria-busy", "true");
  let answer;
  try {
    answer = JSON.parse(await run(await program, JSON.stringify(asked)));
  } catch (error) {
    answer = { findings: [], note: `The page cannot answer: ${error.message}` };
  }
  // A later edit has a run of its own.
  if (mine !== turn) return;
  showFindings(policy, answer.findings);
  showWalk(answer);
  byId("commands").textContent =
    `corsward check policy.yaml\n${["corsward explain policy.yaml", ...options(asked).map(quoted)].join(" \\\n  ")}\n`;
  byId("walk").setAttribute("aria-busy", "false");
}

openMenus();
for (const id of FIELDS) byId(id).addEventListener("input", () => {
  say("copied", "");
  update();
});
byId("policy").addEventListener("scroll", follow);
byId("copy").addEventListener("click", copy);
addEventListener("hashchange", () => fill(linked()));
fill(linked());
