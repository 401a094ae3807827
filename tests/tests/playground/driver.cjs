// Uses the playground in a headless Chromium as a person does, and prints one report as JSON. Arguments: the folder of
// playwright-core, the browser, the address of the page.
const [modules, executablePath, url] = process.argv.slice(2);
const { chromium } = require(`${modules}/playwright-core`);

const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];

/** The text of the page, in the order of a reader. Runs in the page. */
function read() {
  const text = (node) => node?.textContent.trim() ?? "";
  const all = (root, selector) => Array.from(root.querySelectorAll(selector), text);
  const each = (selector, of) => Array.from(document.querySelectorAll(selector), of);
  return {
    count: text(document.querySelector("#count")),
    findings: each("#findings > li", (item) => ({
      code: text(item.querySelector("strong")),
      line: text(item.querySelector("button")),
      field: text(item.querySelector(".field")),
      subject: text(item.querySelector(".subject")),
      fault: text(item.querySelector(".fault")),
      fix: text(item.querySelector(".fix")),
    })),
    result: document.querySelector("#walk").dataset.result,
    notes: all(document, "#notes > p"),
    steps: each("#steps > li", (item) => ({
      title: text(item.querySelector("h3")),
      details: all(item, ".details > li"),
      sent: text(item.querySelector("pre.sent")),
      policies: all(item, ".policies > li"),
      answer: text(item.querySelector("pre.answer")),
      assumed: text(item.querySelector(".assumed")),
      passes: item.className,
      conclusion: text(item.querySelector(".conclusion")),
    })),
    diagnoses: each(".diagnosis", (item) => ({
      code: text(item.querySelector("h3")),
      fault: text(item.querySelector(".fault")),
      fix: text(item.querySelector(".fix")),
    })),
    edits: all(document, ".edits li"),
    refused: all(document, ".edits > p"),
  };
}

/** The values of the fields. Runs in the page. */
const fields = () => Object.fromEntries(
  ["policy", "origin", "method", "url", "headers", "credentials"].map((id) => [id, document.getElementById(id).value]));

const shown = async (page) => {
  await page.waitForSelector("#walk[aria-busy=false]");
  return page.evaluate(read);
};

const caseOf = async (page, name) => ({ name, shown: await shown(page), fields: await page.evaluate(fields) });

/** Every entry of a menu. */
async function menu(page, id) {
  const values = await page.$$eval(`#${id} option`, (options) => options.map(({ value }) => value).filter(Boolean));
  const cases = [];
  for (const value of values) {
    await page.selectOption(`#${id}`, value);
    cases.push({ ...await caseOf(page, value), manual: await page.$eval("#manual", (it) => it.hidden ? "" : it.textContent) });
  }
  return cases;
}

/** The links of cases restore their fields. */
async function links(page, cases) {
  const restored = [];
  for (const { name } of cases) {
    await page.selectOption("#example", name);
    await shown(page);
    await page.click("#copy");
    await page.waitForFunction(() => document.getElementById("copied").textContent !== "");
    const link = page.url();
    const other = await page.context().newPage();
    await other.goto(link);
    restored.push({ link, ...await caseOf(other, name) });
    await other.close();
  }
  return restored;
}

/** The names of what has the focus, from the first to the last. */
async function walkByKeyboard(page) {
  await page.goto(url);
  await shown(page);
  const stops = [];
  for (let press = 0; press < 40; press++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const { activeElement: it } = document;
      if (it === document.body) return null;
      const ring = getComputedStyle(it.id === "policy" ? it.closest(".editor") : it);
      return { name: it.id || it.textContent, ring: ring.outlineStyle !== "none" && parseFloat(ring.outlineWidth) > 0 };
    });
    if (!stop) break;
    stops.push(stop);
  }
  // With the keyboard alone: another example, an edit, the place of a finding.
  await page.focus("#example");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  const chosen = await caseOf(page, "chosen");
  await page.focus("#policy");
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(chosen.fields.policy.replace("maxAge: 600", "maxAge: -1"));
  await shown(page);
  await page.focus("#findings button");
  await page.keyboard.press("Enter");
  const selected = await page.evaluate(() => {
    const { activeElement: it } = document;
    return it.value.slice(it.selectionStart, it.selectionEnd);
  });
  return { stops, selected };
}

/** Pairs of colours whose contrast is below 4.5, in that scheme. Runs in the page. */
function pale() {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if ((channels(backgroundColor)[3] ?? 1) === 1) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const found = new Set();
  for (const node of document.querySelectorAll("body *")) {
    const own = Array.from(node.childNodes).some((it) => it.nodeType === Node.TEXT_NODE && it.data.trim());
    if (!(own || node.value) || !node.getClientRects().length || node.closest("#marks, script, option")) continue;
    const { color } = getComputedStyle(node);
    const [a, b] = [light(color), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.add(`${node.tagName}.${node.className} ${color} on ${ground(node)}: ${ratio.toFixed(2)}`);
  }
  return [...found];
}

async function main() {
  const browser = await chromium.launch({ executablePath, headless: true, args: QUIET });
  const context = await browser.newContext();
  const faults = [];
  context.on("console", (message) => faults.push(`console ${message.type()}: ${message.text()}`));
  context.on("weberror", (error) => faults.push(`error: ${error.error()}`));
  context.on("request", (request) => {
    const place = request.url().split("#")[0];
    if (place !== url && !place.startsWith("data:")) faults.push(`request: ${place}`);
  });
  await context.addInitScript(() => addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    console.error(`violation of ${violatedDirective}: ${blockedURI}`)));
  const page = await context.newPage();
  const report = {};

  await page.goto(url);
  report.first = await caseOf(page, "first");
  report.tree = await page.locator("body").ariaSnapshot();
  report.examples = await menu(page, "example");
  report.findings = await menu(page, "finding");
  report.links = await links(page, report.examples);

  await page.selectOption("#example", "0");
  await shown(page);
  // Texts that are no policy, and one that would like to be HTML.
  report.typed = [];
  const hostile = `# <script>document.title = "hurt"</script><img src=x onerror='document.title = "hurt"'>
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: "<img src=x onerror=alert(1)>"}
spec:
  cors:
    allowOrigins: ["<script>document.title = 'hurt'</script>"]
    "<b>": 1
`;
  const deep = "[".repeat(100_000);
  const { policy } = report.first.fields;
  for (const [name, text] of [
    ["broken", policy.replace("cors:", "cors: [")], ["tab", policy.replace("  cors:", "\tcors:")],
    ["empty", ""], ["prose", "hello"], ["hostile", hostile], ["deep", deep], ["wide", "ä😀: 1\n".concat(policy)],
  ]) {
    await page.fill("#policy", text);
    report.typed.push({ ...await caseOf(page, name), title: await page.title(), marked: await page.$$eval("mark", (all) => all.map((it) => it.textContent)) });
  }
  await page.fill("#policy", policy);
  for (const [id, text] of [["url", "nowhere"], ["origin", "<img src=x onerror=alert(1)>"], ["headers", "no colon"], ["method", "a b"]]) {
    const before = await page.$eval(`#${id}`, (it) => it.value);
    await page.fill(`#${id}`, text);
    report.typed.push({ ...await caseOf(page, id), title: await page.title(), marked: [] });
    await page.fill(`#${id}`, before);
  }
  // The page lives.
  report.last = await caseOf(page, "last");
  const other = await context.newPage();
  await other.goto(`${url}#policy=${encodeURIComponent(hostile)}&origin=%3Cscript%3E&url=javascript:alert(1)&method=%3Cb%3E&header=x-b%3A%3Cb%3E&credentials=none`);
  report.typed.push({ ...await caseOf(other, "linked"), title: await other.title(), marked: [] });
  await other.close();

  report.keyboard = await walkByKeyboard(page);
  report.pale = {};
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    report.pale[colorScheme] = [];
    for (const { name } of report.examples.slice(0, 3)) {
      await page.selectOption("#example", name);
      await shown(page);
      report.pale[colorScheme].push(...await page.evaluate(pale));
    }
    await page.selectOption("#finding", "CORS-E106");
    await shown(page);
    report.pale[colorScheme].push(...await page.evaluate(pale));
  }
  report.overflow = {};
  for (const width of [320, 768, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    report.overflow[width] = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  }
  report.faults = faults;
  await browser.close();
  console.log(JSON.stringify(report));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
