/** Chromium for tests of pages. @module */

import { existsSync } from "node:fs";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const CHROMIUM = "/usr/bin/chromium";

/** Why a page is not tested in a browser here; `false` if it is. */
export const NO_BROWSER: string | false = !existsSync(CHROMIUM)
  ? "chromium is not installed (Debian: apt-get install chromium)"
  : "Bun" in globalThis || "Deno" in globalThis
  ? "the page is the same whoever serves it: one browser is enough"
  : false;

/** Not in the import itself: its types want those of browsers. */
const PLAYWRIGHT: string = "playwright-core";

/** The slice of playwright-core used here. */
export interface Locator {
  allInnerTexts(): Promise<string[]>;
  innerText(): Promise<string>;
  getAttribute(name: string): Promise<string | null>;
  fill(text: string): Promise<void>;
  isVisible(): Promise<boolean>;
  click(): Promise<void>;
}

/** A file as it is chosen in a form. */
export interface Chosen {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Uint8Array;
}

/** A page. */
export interface Page {
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  goto(url: string): Promise<unknown>;
  setContent(html: string): Promise<void>;
  locator(selector: string): Locator;
  getByRole(role: string, options: { name: string; exact?: boolean }): Locator;
  getByText(text: string): Locator;
  evaluate(script: string): Promise<unknown>;
  emulateMedia(options: { colorScheme: "dark" | "light" }): Promise<void>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  setInputFiles(selector: string, files: readonly Chosen[]): Promise<void>;
  waitForURL(url: RegExp): Promise<void>;
  close(): Promise<void>;
  readonly keyboard: { press(key: string): Promise<void> };
}

interface Browser {
  newPage(options?: { javaScriptEnabled?: boolean; ignoreHTTPSErrors?: boolean }): Promise<Page>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: string[] }): Promise<Browser>;
  };
}

let browser: Promise<Browser> | undefined;
after(async () => await (await browser)?.close());

/** Waits until an expression is true. Works where the page's policy forbids to evaluate code. */
export async function until(page: Page, expression: string): Promise<void> {
  const timeout = performance.now() + 30_000;
  while (!await page.evaluate(`Boolean(${expression})`).catch(() => false)) {
    if (performance.now() > timeout) throw new Error(`not true in 30 s: ${expression}`);
    await sleep(20);
  }
}

/**
 * Opens a page; all tests of a file share one browser. `faults` collects what goes wrong in the page:
 * exceptions, and what its content security policy forbids.
 */
export async function openPage(
  options: { javaScriptEnabled?: boolean; ignoreHTTPSErrors?: boolean } = {},
): Promise<{ page: Page; faults: string[] }> {
  browser ??= import(PLAYWRIGHT).then(({ chromium }: Playwright) =>
    chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] })
  );
  const page = await (await browser).newPage(options);
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) faults.push(message.text());
  });
  return { page, faults };
}
