import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { NamedEntry } from "../../../src/http/files/folder_names.ts";
import { NameList } from "../../../src/http/listing/name_list.ts";

const name = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ maxLength: 200 }),
  fc.constant("\ufeffbyte order"),
).filter((text) => text.isWellFormed());
const entry = fc.record({
  name,
  kind: fc.constantFrom("file" as const, "folder" as const),
  link: fc.boolean(),
}, { noNullPrototype: true });

/** Folders first, as every listing has them. */
function foldersFirst(entries: readonly NamedEntry[]): NamedEntry[] {
  const of = (wanted: string) => entries.filter(({ kind }) => kind === wanted);
  return [...of("folder"), ...of("file")];
}

describe("NameList", () => {
  it("gives back every entry, in both orders", () => {
    fc.assert(fc.property(
      fc.array(entry, { maxLength: 40 }),
      fc.nat(50),
      fc.nat(50),
      (drawn, start, count) => {
        const entries = foldersFirst(drawn);
        const list = new NameList(entries);
        assert.equal(list.length, entries.length);
        assert.equal(list.links, entries.some(({ link }) => link));
        assert.deepEqual(list.slice(start, start + count), entries.slice(start, start + count));
        const of = (wanted: string) => entries.filter(({ kind }) => kind === wanted).reverse();
        const reverse = [...of("folder"), ...of("file")];
        const end = start + count;
        assert.deepEqual(list.slice(start, end, true), reverse.slice(start, end));
      },
    ));
  });

  it("takes little more memory than the names", () => {
    const entries = Array.from({ length: 100_000 }, (_, i): NamedEntry => ({
      name: `é-${i}.txt`,
      kind: "file",
      link: false,
    }));
    const bytes = entries.reduce((sum, { name }) => sum + Buffer.byteLength(name), 0);
    assert.equal(new NameList(entries).bytes, bytes + 5 * entries.length);
  });
});
