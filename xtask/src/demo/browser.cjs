// Opens the demo's page in a headless Chromium and prints its table, one JSON line for each run of
// it, until standard input closes; each line there reloads the page. Arguments: the folder of
// playwright-core, the browser, the page.
const [modules, executablePath, url] = process.argv.slice(2);
const { chromium } = require(`${modules}/playwright-core`);
const { createInterface } = require("node:readline");

const QUIET = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

async function main() {
  const browser = await chromium.launch({ executablePath, headless: true, args: QUIET });
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.exposeFunction("tableDone", (table) => console.log(JSON.stringify(table)));
  await page.goto(url);
  createInterface({ input: process.stdin })
    .on("line", () => page.reload())
    .on("close", () => browser.close());
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
