// Opens the main views in Firefox, by WebDriver BiDi, and prints what it saw: firefox.mjs FIREFOX URL FILE FOLDER
import { join } from "node:path";
import puppeteer from "puppeteer-core";

const [executablePath, url, file, folder] = process.argv.slice(2);
const seen = { complaints: [], outside: [] };
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  extraPrefsFirefox: { "intl.accept_languages": "en-GB", "network.captive-portal-service.enabled": false },
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && seen.complaints.push(message.text()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(url)) seen.outside.push(request.url());
  });
  const text = async (selector) => (await page.$eval(selector, (one) => one.innerText)).replace(/\s+/g, " ");
  const keep = (name) => page.screenshot({ path: join(folder, `firefox-${name}.png`) });
  const show = (view) => page.evaluate((name) => void (location.hash = name), view);

  await page.goto(`${url}#live`);
  await page.type("#live-text", "屏幕很好，但是电池太差");
  await page.waitForSelector(".clause.negative");
  seen.live = await text(".clauses");
  await keep("live");

  await show("batch");
  await (await page.waitForSelector("#file")).uploadFile(file);
  await page.waitForSelector("table.preview td.chosen");
  await page.click("form button[type=submit]");
  await page.waitForSelector(".progress[data-phase=done]");
  seen.batch = await text(".progress");
  await keep("batch");
  await page.evaluate(() => [...document.querySelectorAll(".tabs button")].at(-1).click());
  await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length === 6);
  await keep("charts");

  await page.reload();
  await page.waitForSelector(".entry button.primary");
  seen.kept = await text(".entry");

  await show("history");
  await page.waitForSelector(".entry");
  await keep("history");
  await show("status");
  await page.waitForSelector(".health");
  seen.status = await text(".health");
  await keep("status");
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
