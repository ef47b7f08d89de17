import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createFileServer } from "../../../src/http/mod.ts";
import { listingPage } from "../../../src/http/listing/page.ts";
import { accessibilityFaults } from "../../_kit/accessible.ts";
import { type Chosen, NO_BROWSER, openPage, until } from "../../_kit/browser.ts";

const file = (name: string, text: string): Chosen => ({
  name,
  mimeType: "text/plain",
  buffer: Buffer.from(text),
});

/** Drops a file on the page, as far as a script can. */
const DROP = `{
  const data = new DataTransfer();
  data.items.add(new File(["dropped"], "dropped.txt"));
  for (const name of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}`;

describe("uploads in the listing", () => {
  it("are offered only where the server takes them", () => {
    const listing = { names: [], entries: [], truncated: false };
    assert.doesNotMatch(listingPage(listing), /id="up"/);
    const upload = { maxBytes: 2048, overwrite: false };
    const page = listingPage(listing, { upload, archives: false });
    assert.match(page, /data-max="2048" hidden.*\n.*at most 2\.00 KiB each/);
    assert.match(page, /<noscript>/);
    const any = { maxBytes: Infinity, overwrite: true };
    assert.match(
      listingPage(listing, { upload: any, archives: true }),
      /href="\?download=zip"[^]*data-max="Infinity" data-over hidden/,
    );
  });

  it("are stored, or told why not, in a browser", { skip: NO_BROWSER }, async () => {
    const root = mkdtempSync(join(tmpdir(), "sluice-"));
    mkdirSync(join(root, "in"));
    writeFileSync(join(root, "in", "taken.txt"), "old");
    const upload = { maxBytes: 1000 };
    const server = createFileServer({ root, listing: true, upload, archives: true });
    const { port } = await server.listen();
    const { faults, page } = await openPage();
    try {
      await page.goto(`http://127.0.0.1:${port}/in/`);
      await page.setInputFiles("#up input", [
        file("taken.txt", "new"),
        file("a <b>ü#?.txt", "first"),
        file("large.txt", "x".repeat(1001)),
        file("second.txt", "second"),
      ]);
      const notes = `[...document.querySelectorAll("#up li")].map((li) => li.innerText)`;
      await until(page, `document.getElementById("again")`);
      assert.deepEqual(await page.evaluate(notes), [
        "taken.txt\nA file or folder of this name exists.",
        "a <b>ü#?.txt\nDone",
        "large.txt\nThe file is too large.",
        "second.txt\nDone",
      ]);
      assert.equal(readFileSync(join(root, "in", "taken.txt"), "utf8"), "old");
      assert.equal(readFileSync(join(root, "in", "a <b>ü#?.txt"), "utf8"), "first");
      assert.deepEqual(await accessibilityFaults(page), []);
      await page.goto(`http://127.0.0.1:${port}/in/`);
      await page.evaluate(DROP);
      // The page loads again, and shows the file.
      await until(
        page,
        `document.body.innerText.includes("dropped.txt") && !document.querySelector("#up li")`,
      );
      assert.equal(readFileSync(join(root, "in", "dropped.txt"), "utf8"), "dropped");
      // The button can be reached by the keyboard.
      const focus = `document.activeElement.textContent`;
      for (let i = 0; i < 30 && await page.evaluate(focus) !== "Upload files"; i++) {
        await page.keyboard.press("Tab");
      }
      assert.equal(await page.evaluate(focus), "Upload files");
      assert.deepEqual(faults, []);
    } finally {
      await page.close();
      await server.close({ graceMs: 0 });
      rmSync(root, { recursive: true });
    }
  });
});
