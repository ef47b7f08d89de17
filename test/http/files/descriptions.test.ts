import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeOnce } from "../../../src/http/files/descriptions.ts";
import { describeFile } from "../../../src/http/rules/representation.ts";
import { settingsOf } from "../../../src/http/rules/settings.ts";
import type { PlanFile } from "../../../src/http/mod.ts";

const FILE: PlanFile = { name: "a/b.txt", size: 20, mtimeNs: 10n ** 18n, ctimeNs: 10n ** 18n };

describe("a description that is remembered", () => {
  it("is that of the same facts, and of no others", () => {
    const settings = settingsOf({});
    const others: Partial<PlanFile>[] = [
      {},
      { size: 21 },
      { mtimeNs: FILE.mtimeNs + 1n },
      { ctimeNs: FILE.mtimeNs + 1n },
      { ctimeNs: undefined },
      { coding: "gzip" },
      { coding: "br" },
      { name: "a/b.html" },
    ];
    // Each of them may replace what is remembered of another.
    for (let turn = 0; turn < 3; turn++) {
      for (const other of others) {
        for (let again = 0; again < 2; again++) {
          const file = { ...FILE, ...other };
          assert.deepEqual(describeOnce(file, settings), describeFile(file, settings));
        }
      }
    }
    assert.equal(describeOnce({ ...FILE }, settings), describeOnce({ ...FILE }, settings));
    assert.notEqual(describeOnce(FILE, settings), describeOnce(FILE, settingsOf({ etag: false })));
  });

  it("is not that of a file from the future, whose Last-Modified is now", () => {
    const settings = settingsOf({});
    const file = { ...FILE, mtimeNs: BigInt(Date.now() + 86_400_000) * 1_000_000n };
    assert.notEqual(describeOnce(file, settings), describeOnce(file, settings));
    assert.ok(describeOnce(file, settings).modified! * 1000 <= Date.now());
  });

  it("is none where a function makes the header fields", () => {
    let calls = 0;
    const settings = settingsOf({ headers: () => ({ "X-Call": String(++calls) }) });
    for (const call of ["1", "2", "3"]) {
      assert.equal(describeOnce(FILE, settings).whole.headers["X-Call"], call);
    }
  });

  it("is one of a bounded number", () => {
    const settings = settingsOf({});
    const file = (i: number) => ({ ...FILE, name: `${i}.txt` });
    const first = describeOnce(file(0), settings);
    assert.equal(describeOnce(file(0), settings), first);
    for (let i = 1; i <= 256; i++) describeOnce(file(i), settings);
    assert.notEqual(describeOnce(file(0), settings), first);
  });
});
