// Looks at pages in a real browser, as people would: narrow and wide, light and dark, and with the rules of accessibility.
//
//   node look.mjs FOLDER     every *.html in FOLDER; pictures go to FOLDER/pictures
//
// Prints a line for each thing that is wrong, and ends with 1 if there is any. The modules are where $PAGES_TOOLS says.
import { createRequire } from "node:module";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.PAGES_TOOLS, "/"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const folder = resolve(process.argv[2]);
const pictures = join(folder, "pictures");
mkdirSync(pictures, { recursive: true });
const widths = [390, 1280];
const schemes = ["light", "dark"];
let wrong = 0;
const said = new Set();

function complain(page, what) {
  wrong += 1;
  console.log(`${page}: ${what}`);
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
  ],
});

async function open(url, options, name) {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "UTC", ...options });
  const page = await context.newPage();
  page.on("request", (request) => {
    if (request.url() !== url) complain(name, `asks for ${request.url()}`);
  });
  page.on("console", (message) => complain(name, `the console says: ${message.text()}`));
  page.on("pageerror", (error) => complain(name, `the script fails: ${error}`));
  page.on("dialog", (dialog) => {
    complain(name, `opens a window: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url, { waitUntil: "load" });
  return { context, page };
}

// As it is seen: a picture, nothing that has to be pushed sideways, and the rules of accessibility (WCAG 2, levels A and AA, and what
// axe-core calls good practice). Those come as a script, which the page's own policy would not allow.
async function seen(url, name) {
  const { context, page } = await open(url, { bypassCSP: true }, name);
  await page.evaluate(axe);
  const huge = (await page.locator("#list > li").count()) > 500;
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (over > 0) complain(name, `is ${over} px wider than ${width} px`);
      // Of a page of a thousand changes the beginning is enough.
      await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: !huge });
      if (huge && (width !== widths[0] || colorScheme !== schemes[0])) continue;
      const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      for (const violation of found.violations) {
        const places = violation.nodes.map((node) => `${node.target} ${node.failureSummary}`).slice(0, 3);
        // Wrong in one width and colour, it is most often wrong in all.
        if (said.has(`${name} ${violation.id}`)) continue;
        said.add(`${name} ${violation.id}`);
        complain(name, `${width} px, ${colorScheme}: ${violation.id}: ${violation.help}: ${places.join(" | ")}`);
      }
    }
  }
  // On paper it is dark on light, whatever the screen is.
  if ((await page.locator("#main").count()) > 0) {
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    const ink = await page.evaluate(() => getComputedStyle(document.body).color.match(/\d+/g).map(Number));
    if (Math.max(...ink) > 100) complain(name, `is printed in light letters: ${ink}`);
    if (!huge) await page.screenshot({ path: join(pictures, `${name}-print.png`), fullPage: true });
  }
  await context.close();
}

// The filter of a page that has one: by kind, by words, and nothing left.
async function filtered(url, name) {
  const { context, page } = await open(url, { viewport: { width: 1280, height: 900 } }, name);
  const shown = () => page.locator("#list > li:visible").count();
  if ((await page.locator("#tools").count()) > 0) {
    if (!(await page.locator("#tools").isVisible())) complain(name, "the filter is not shown");
    const all = await shown();
    for (const input of await page.locator("#tools input[name=kind]").all()) {
      await input.check({ force: true });
      const kind = await input.inputValue();
      const fits = kind === "all" ? all : await page.locator(`#list > li.${kind}`).count();
      if ((await shown()) !== fits) complain(name, `the filter ${kind} shows ${await shown()} of ${fits}`);
    }
    const everything = page.locator("#tools input[value=all]");
    if ((await everything.count()) > 0) await everything.check({ force: true });
    const first = (await page.locator("#list .who bdi").first().innerText()).slice(0, 20);
    await page.locator("#tools input[name=words]").fill(first.toUpperCase());
    const found = await shown();
    if (found < 1 || found > all) complain(name, `finds ${found} for ${first}`);
    await page.locator("#tools input[name=words]").fill("there is no such user");
    if ((await shown()) !== 0) complain(name, "finds what is not there");
    if (!(await page.locator("#said").innerText()).startsWith("0 of ")) complain(name, "does not say that it finds nothing");
  }
  await context.close();
}

// Without scripts everything is there, and nothing that does nothing.
async function without_scripts(url, name) {
  const { context, page } = await open(url, { javaScriptEnabled: false }, name);
  if (await page.locator("#tools").isVisible()) complain(name, "shows a filter that does nothing");
  const hidden = (await page.locator("#list > li").count()) - (await page.locator("#list > li:visible").count());
  if (hidden !== 0) complain(name, `hides ${hidden} changes`);
  await context.close();
}

const pages = readdirSync(folder).filter((file) => file.endsWith(".html")).sort();
if (pages.length === 0) complain(folder, "there is no page");
for (const file of pages) {
  const url = pathToFileURL(join(folder, file)).href;
  const name = basename(file, ".html");
  await seen(url, name);
  await filtered(url, name);
  await without_scripts(url, name);
}
await browser.close();
console.log(`${pages.length} pages looked at, ${wrong} complaints`);
process.exit(wrong > 0 ? 1 : 0);
