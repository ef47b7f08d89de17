import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gradient, tones } from "../../../examples/start/media.ts";
import { createFileServer, type RequestEvent } from "../../../src/http/mod.ts";
import { kindOf } from "../../../src/http/listing/kinds.ts";
import { listingPage } from "../../../src/http/listing/page.ts";
import { formatBytes, formatTime } from "../../../src/http/listing/text.ts";

const entry = (name: string, size = 1) => ({ name, kind: "file" as const, size, modifiedMs: 0 });

describe("listingPage()", () => {
  it("shows names as text, and links to them from where it is", () => {
    const names = ["<b>&\"'", "a:b", "100%", "ü?#", "-rf", "a\nb"];
    const page = listingPage({
      names: ["<x>"],
      entries: names.map((n) => entry(n)),
      truncated: false,
    });
    assert.doesNotMatch(page, /<b>|<x>/);
    for (const href of ["a%3Ab", "100%25", "%C3%BC%3F%23", "-rf", "a%0Ab", "%3Cb%3E%26%22'"]) {
      assert.ok(page.includes(`href="./${href}"`), href);
    }
    assert.match(page, /href="\.\.\/"/);
  });

  it("sums up, and says when something is left out", () => {
    const entries = [{ ...entry("a"), kind: "folder" as const, size: 0 }, entry("b", 2048)];
    assert.match(
      listingPage({ names: [], entries, truncated: true }),
      /1 folder, 1 file, 2\.00 KiB, and more/,
    );
    assert.match(listingPage({ names: [], entries: [], truncated: false }), /<p id="none">Nothing/);
  });

  it("loads nothing else", () => {
    const page = listingPage({ names: [], entries: [entry("a")], truncated: false });
    assert.doesNotMatch(page, /https?:|src="|@import|url\(/);
  });
});

describe("kindOf()", () => {
  it("tells by the name", () => {
    const kinds = ["a.png", "a.mp4", "a.mp3", "a.ts", "a.tar.gz", "a.pdf", "README", "a.bin", "a"];
    assert.deepEqual(kinds.map((name) => kindOf(entry(name))), [
      ...["image", "video", "audio", "code", "archive", "document", "text", "file", "file"],
    ]);
  });
});

describe("sizes and times", () => {
  it("have three digits, and no exception", () => {
    assert.deepEqual([0, 1023, 1024, 1536, 10240, 1e9, 2 ** 52].map(formatBytes), [
      ...["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "10.0 KiB", "954 MiB", "4.00 PiB"],
    ]);
    assert.equal(formatTime(0), "1970-01-01 00:00");
    assert.equal(formatTime(Infinity), "");
  });
});

const CHROMIUM = "/usr/bin/chromium";
const NO_BROWSER = !existsSync(CHROMIUM)
  ? "chromium is not installed (Debian: apt-get install chromium)"
  : "Bun" in globalThis || "Deno" in globalThis
  ? "the page is the same whoever serves it: one browser is enough"
  : false;

/** Long enough that a browser does not take it all ahead of time. */
const SECONDS = 600;

/** Not in the import itself: its types want those of browsers. */
const PLAYWRIGHT: string = "playwright-core";

interface Locator {
  allInnerTexts(): Promise<string[]>;
  fill(text: string): Promise<void>;
  isVisible(): Promise<boolean>;
  click(): Promise<void>;
}

/** The slice of playwright-core used here. */
interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: string[] }): Promise<{
      newPage(): Promise<{
        on(event: "pageerror", listener: (error: Error) => void): void;
        goto(url: string): Promise<unknown>;
        locator(selector: string): Locator;
        getByRole(role: string, options: { name: string }): Locator;
        getByText(text: string): Locator;
        waitForFunction(script: string): Promise<unknown>;
        evaluate(script: string): Promise<unknown>;
        emulateMedia(options: { colorScheme: "dark" | "light" }): Promise<void>;
        waitForURL(url: RegExp): Promise<void>;
        readonly keyboard: { press(key: string): Promise<void> };
      }>;
      close(): Promise<void>;
    }>;
  };
}

/** The lightness of a CSS colour such as `rgb(1, 2, 3)`, from 0 to 255. */
function lightness(colour: unknown): number {
  const [red = 0, green = 0, blue = 0] = String(colour).match(/[\d.]+/g)!.map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue;
}

describe("the listing in a browser", () => {
  it("is dark for those who like it dark", { skip: NO_BROWSER }, async () => {
    const { chromium } = await import(PLAYWRIGHT) as Playwright;
    const server = createFileServer({
      root: fileURLToPath(new URL(".", import.meta.url)),
      listing: true,
    });
    const { port } = await server.listen();
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.goto(`http://127.0.0.1:${port}/`);
        const style = (name: string) =>
          page.evaluate(`getComputedStyle(document.body).getPropertyValue("${name}")`);
        const difference = lightness(await style("color")) -
          lightness(await style("background-color"));
        assert.ok(Math.abs(difference) > 125, `${colorScheme}: ${difference}`);
        assert.equal(Math.sign(difference), colorScheme === "dark" ? 1 : -1);
      }
    } finally {
      await browser.close();
      await server.close({ graceMs: 0 });
    }
  });

  it("plays from where somebody seeks, without the rest", { skip: NO_BROWSER }, async () => {
    const { chromium } = await import(PLAYWRIGHT) as Playwright;
    const root = mkdtempSync(join(tmpdir(), "sluice-"));
    const sound = tones(SECONDS);
    writeFileSync(join(root, "sound.wav"), sound);
    const events: RequestEvent[] = [];
    const onRequest = (event: RequestEvent) => void events.push(event);
    const server = createFileServer({ root, listing: true, onRequest });
    const { port } = await server.listen();
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.evaluate(`window.video = document.createElement("video");
        video.preload = "metadata"; video.src = "/sound.wav"; document.body.append(video)`);
      await page.waitForFunction("video.readyState >= 1");
      assert.equal(Math.round(await page.evaluate("video.duration") as number), SECONDS);
      await page.evaluate(`video.currentTime = ${SECONDS - 5}`);
      await page.waitForFunction("!video.seeking && video.readyState >= 2");
      assert.equal(Math.round(await page.evaluate("video.currentTime") as number), SECONDS - 5);
    } finally {
      await browser.close();
      await server.close({ graceMs: 0 });
      rmSync(root, { recursive: true });
    }
    const parts = events.filter(({ status, target }) => target === "/sound.wav" && status === 206);
    assert.ok(parts.some(({ total }) => total < sound.length / 2), JSON.stringify(parts));
  });

  it("is searched, sorted and looked at", { skip: NO_BROWSER }, async () => {
    const { chromium } = await import(PLAYWRIGHT) as Playwright;
    const root = mkdtempSync(join(tmpdir(), "sluice-"));
    mkdirSync(join(root, "folder"));
    writeFileSync(join(root, "small.txt"), "1");
    writeFileSync(join(root, "large.txt"), "1".repeat(500_000));
    writeFileSync(join(root, "picture.png"), gradient(64, 32));
    const server = createFileServer({ root, listing: true });
    const { port } = await server.listen();
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      await page.goto(`http://127.0.0.1:${port}/`);
      const rows = () => page.locator("tbody tr:visible td:first-child").allInnerTexts();
      assert.deepEqual(await rows(), ["folder/", "large.txt", "picture.png", "small.txt"]);
      await page.locator("input").fill("PIC");
      assert.deepEqual(await rows(), ["picture.png"]);
      await page.locator("input").fill("nothing of that name");
      assert.ok(await page.locator("#none").isVisible());
      await page.locator("input").fill("");
      await page.getByRole("button", { name: "Size" }).click();
      assert.deepEqual((await rows()).map((name) => name[0]), ["f", "s", "p", "l"]);
      await page.getByText("picture.png").click();
      const width = "document.querySelector('dialog img').naturalWidth";
      await page.waitForFunction(`${width} === 64`);
      await page.keyboard.press("Escape");
      await page.waitForFunction("!document.querySelector('dialog').open");
      await page.getByText("folder/").click();
      await page.waitForURL(/\/folder\/$/);
      assert.deepEqual(await rows(), [".."]);
      assert.deepEqual(errors, []);
    } finally {
      await browser.close();
      await server.close({ graceMs: 0 });
      rmSync(root, { recursive: true });
    }
  });
});
