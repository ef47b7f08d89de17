import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gradient, tones } from "../../../examples/start/media.ts";
import { createFileServer, type FileServer, type RequestEvent } from "../../../src/http/mod.ts";
import { accessibilityFaults, NO_AXE } from "../../_kit/accessible.ts";
import { NO_BROWSER, openPage, until } from "../../_kit/browser.ts";

/** Long enough that a browser does not take it all ahead of time. */
const SECONDS = 600;

/** Names that attack the page. */
const HOSTILE = ["\"'<img src=x onerror=alert(1)>.txt", "javascript:alert(1)", "a\u202egpj.exe"];

describe("the listing in a browser", () => {
  let root = "";
  let url = "";
  let server: FileServer;
  const events: RequestEvent[] = [];
  const sound = NO_BROWSER ? new Uint8Array() : tones(SECONDS);

  before(async () => {
    if (NO_BROWSER) return;
    root = mkdtempSync(join(tmpdir(), "sluice-"));
    mkdirSync(join(root, "folder"));
    writeFileSync(join(root, "small.txt"), "1");
    writeFileSync(join(root, "large.txt"), "1".repeat(500_000));
    writeFileSync(join(root, "picture.png"), gradient(64, 32));
    const hourAgo = Date.now() / 1000 - 3700;
    utimesSync(join(root, "small.txt"), hourAgo, hourAgo);
    mkdirSync(join(root, "sounds"));
    writeFileSync(join(root, "sounds", "sound.wav"), sound);
    mkdirSync(join(root, "hostile"));
    for (const name of HOSTILE) writeFileSync(join(root, "hostile", name), "x");
    mkdirSync(join(root, "many"));
    for (let i = 0; i < 2001; i++) writeFileSync(join(root, "many", `${i}`), "x".repeat(i % 7));
    const onRequest = (event: RequestEvent) => void events.push(event);
    server = createFileServer({ root, listing: true, title: "My files", onRequest });
    url = `http://127.0.0.1:${(await server.listen()).port}`;
  });
  after(async () => {
    if (NO_BROWSER) return;
    await server.close({ graceMs: 0 });
    rmSync(root, { recursive: true });
  });

  const ROWS = "tbody tr:visible td:first-child";

  it(
    "can be used by everybody, in light and dark, on desk and phone",
    { skip: NO_BROWSER },
    async () => {
      const { faults, page } = await openPage();
      for (const target of ["/", "/folder/", "/hostile/", "/many/?sort=-size&page=2"]) {
        await page.goto(url + target);
        assert.deepEqual(await accessibilityFaults(page), [], target);
      }
      await page.keyboard.press("?");
      assert.deepEqual(await accessibilityFaults(page), [], "help");
      assert.deepEqual(faults, []);
      await page.close();
    },
  );

  it("is checked by axe-core, too", { skip: NO_BROWSER || NO_AXE }, async () => {
    const { page } = await openPage();
    await page.goto(`${url}/folder/`);
    await page.evaluate(`document.querySelector("main").innerHTML += "<ul><p>x</ul>"`);
    const faults = await accessibilityFaults(page);
    assert.equal(faults.filter((fault) => /: axe list, .*: <ul>/.test(fault)).length, 4);
    await page.close();
  });

  it("plays from where somebody seeks, without the rest", { skip: NO_BROWSER }, async () => {
    const { faults, page } = await openPage();
    await page.goto(`${url}/sounds/`);
    await page.getByText("sound.wav").click();
    const audio = "document.querySelector('#preview audio')";
    await until(page, `${audio}?.readyState >= 1`);
    assert.equal(Math.round(await page.evaluate(`${audio}.duration`) as number), SECONDS);
    await page.evaluate(`${audio}.pause(), ${audio}.currentTime = ${SECONDS - 5}`);
    await until(page, `!${audio}.seeking && ${audio}.readyState >= 2`);
    assert.equal(
      Math.round(await page.evaluate(`${audio}.currentTime`) as number),
      SECONDS - 5,
    );
    assert.deepEqual(faults, []);
    await page.close();
    const parts = events.filter(({ status, target }) => target.endsWith(".wav") && status === 206);
    assert.ok(parts.some(({ total }) => total < sound.length / 2), JSON.stringify(parts));
  });

  it("is filtered, sorted and looked at", { skip: NO_BROWSER }, async () => {
    const { faults, page } = await openPage();
    await page.goto(url);
    assert.equal(await page.evaluate("document.title"), "My files/");
    const rows = () => page.locator(ROWS).allInnerTexts();
    const all = [
      "folder/",
      "hostile/",
      "many/",
      "sounds/",
      "large.txt",
      "picture.png",
      "small.txt",
    ];
    assert.deepEqual(await rows(), all);
    await page.locator("input").fill("PIC");
    assert.deepEqual(await rows(), ["picture.png"]);
    await page.locator("input").fill("nothing of that name");
    assert.ok(await page.locator("#none").isVisible());
    await page.locator("input").fill("");
    await page.getByRole("link", { name: "Size" }).click();
    await page.waitForURL(/\?sort=-size$/);
    assert.deepEqual((await rows()).slice(4), ["large.txt", "picture.png", "small.txt"]);
    await page.getByRole("link", { name: "Size" }).click();
    await page.waitForURL(/\?sort=size$/);
    assert.deepEqual((await rows()).slice(4), ["small.txt", "picture.png", "large.txt"]);
    await until(page, "document.querySelector('td img').naturalWidth === 64");
    assert.equal(await page.locator("tr:has-text('small.txt') time").innerText(), "1 hour ago");
    const title = await page.locator("tr:has-text('small.txt') time").getAttribute("title");
    assert.match(title!, /\d{4}.*\d:\d\d/);
    await page.getByText("picture.png").click();
    const width = "document.querySelector('#preview img').naturalWidth";
    await until(page, `${width} === 64`);
    await page.keyboard.press("Escape");
    await until(page, "!document.querySelector('dialog').open");
    assert.deepEqual(faults, []);
    await page.close();
  });

  it("is used by keyboard alone", { skip: NO_BROWSER }, async () => {
    const { faults, page } = await openPage();
    await page.goto(url);
    const focused = () => page.evaluate("document.activeElement.textContent.trim()");
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
      return await focused();
    };
    assert.equal(await press("ArrowDown"), "folder/");
    assert.equal(await press("ArrowDown", "ArrowDown", "ArrowUp"), "hostile/");
    assert.equal(await press("End"), "small.txt");
    assert.equal(await press("Home"), "folder/");
    await press("/", "l", "a", "r", "ArrowDown");
    assert.equal(await focused(), "large.txt");
    await press("/", "Escape");
    assert.equal(await press("ArrowDown"), "folder/");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/folder\/$/);
    await page.keyboard.press("Backspace");
    await page.waitForURL(/:\d+\/$/);
    // An image opens here, and the place is kept.
    await press("End", "ArrowUp", "Enter");
    await until(page, "document.querySelector('#preview').open");
    await press("Escape");
    await until(page, "!document.querySelector('#preview').open");
    assert.equal(await focused(), "picture.png");
    await press("?");
    assert.ok(await page.locator("#help").isVisible());
    await press("Escape");
    assert.ok(!await page.locator("#help").isVisible());
    assert.deepEqual(faults, []);
    await page.close();
  });

  it("shows hostile names as text, and links to files only", { skip: NO_BROWSER }, async () => {
    const { faults, page } = await openPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    await page.goto(`${url}/hostile/`);
    const texts = (await page.locator("tbody tr[data-k] bdi").allInnerTexts()).sort();
    assert.deepEqual(texts, [HOSTILE[0]!, "a⟨U+202E⟩gpj.exe", HOSTILE[1]!].sort());
    assert.equal(await page.evaluate("document.querySelectorAll('tbody img').length"), 0);
    const schemes = await page.evaluate(
      "[...document.querySelectorAll('tbody tr[data-k] a')].map((a) => a.protocol)",
    );
    assert.deepEqual(schemes, ["http:", "http:", "http:"]);
    assert.deepEqual(faults, []);
    await page.close();
  });

  it("works without JavaScript: sorting and paging", { skip: NO_BROWSER }, async () => {
    const { page } = await openPage({ javaScriptEnabled: false });
    await page.goto(`${url}/many/`);
    await page.getByRole("link", { name: "Size" }).click();
    await page.waitForURL(/\?sort=-size$/);
    await page.getByRole("link", { name: "Next →" }).click();
    await page.waitForURL(/\?sort=-size&page=2$/);
    assert.deepEqual((await page.locator("tbody tr td:first-child").allInnerTexts()).length, 2);
    await page.close();
  });
});
