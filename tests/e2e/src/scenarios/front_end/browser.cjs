// Opens pages of the cluster in a headless Chromium, one after the other in the same profile: each line of standard input
// is an address, and each line of the output says what its table showed and what the console said. It ends when the input
// does. Arguments: the folder of playwright-core, the browser, the SOCKS server in the cluster.
const [modules, executablePath, proxy] = process.argv.slice(2);
const { chromium } = require(`${modules}/playwright-core`);
const { createInterface } = require("node:readline");

const QUIET = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** What Chromium does to everything under way when a network interface of this machine comes or goes. */
const CHANGED = "net::ERR_NETWORK_CHANGED";

/** How often a page is opened that does not load: a connection may have gone to a pod that was just ending. */
const VISITS = 4;

/** A visit that no change of this machine's or the cluster's network disturbed. */
async function visit(context, url) {
  for (let visits = 1; ; visits += 1) {
    const page = await context.newPage();
    const seen = await look(page, url).catch((error) => {
      const disturbed = error.message.includes(CHANGED) || error.name === "TimeoutError";
      if (!disturbed || visits === VISITS) throw error;
      return null;
    });
    await page.close();
    if (seen && !seen.errors.some((text) => text.includes(CHANGED))) return seen;
  }
}

async function look(page, url) {
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => console.error(error));
  await page.goto(url, { timeout: 15_000 });
  await page.waitForSelector("table[data-done=true]", { timeout: 60_000 });
  const rows = await page.$$eval("tr", (all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
  return { rows, errors };
}

async function main() {
  const args = [...QUIET, `--proxy-server=socks5://${proxy}`];
  const browser = await chromium.launch({ executablePath, headless: true, args });
  const context = await browser.newContext();
  for await (const url of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await visit(context, url)));
  }
  await browser.close();
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
