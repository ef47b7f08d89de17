import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { NameCollector } from "../../../../src/http/files/names/name_collector.ts";
import type { NamedEntry } from "../../../../src/http/files/names/name_list.ts";
import {
  CommonStart,
  comparePlain,
  isPlain,
  keyOf,
} from "../../../../src/http/files/names/name_order.ts";
import { listOf } from "../../../../src/http/files/names/read_names.ts";
import { compareEntries, compareNames } from "../../../../src/http/rules/listing.ts";

const plain = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."aAbB019 ._-"), maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(..."aZ0\"'`~#$%&*+<=>?@[]^{|}"), maxLength: 6 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(..."00123456789"), maxLength: 30 }),
);
const name = fc.oneof(
  plain,
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom(..."aäAÄßø1"), maxLength: 5 }),
  fc.string({ maxLength: 300 }),
  fc.constant("\ufeffbyte order"),
).filter((text) => text.isWellFormed());
const entry = fc.record({
  name,
  kind: fc.constantFrom("file" as const, "folder" as const),
  link: fc.boolean(),
}, { noNullPrototype: true });

function sign(value: number): number {
  return Math.sign(value) + 0;
}

describe("comparePlain()", () => {
  it("has the order of the collator", () => {
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const [first, second] = [a, b].map((text) => new TextEncoder().encode(text)) as [
          Uint8Array,
          Uint8Array,
        ];
        const bytes = new Uint8Array([...first, ...second]);
        const { length: middle } = first;
        assert.ok(isPlain(bytes, 0, bytes.length));
        const compared = comparePlain(bytes, 0, middle, middle, bytes.length);
        assert.equal(sign(compared), sign(compareNames(a, b)), `${a} and ${b}`);
      }),
      { numRuns: 20_000 },
    );
  });

  it("agrees with the keys of names that begin in the same way", () => {
    fc.assert(
      fc.property(fc.array(plain, { minLength: 2, maxLength: 6 }), plain, (endings, start) => {
        const texts = endings.map((ending) => start + ending);
        const all = texts.map((text) => new TextEncoder().encode(text));
        const common = new CommonStart();
        for (const bytes of all) common.add(bytes, 0, bytes.length);
        const keys = all.map((bytes) => keyOf(bytes, common.length, bytes.length));
        for (const [i, a] of texts.entries()) {
          for (const [j, b] of texts.entries()) {
            const compared = sign(compareNames(a, b));
            if (keys[i]! !== keys[j]!) {
              assert.equal(sign(keys[i]! - keys[j]!), compared, `${a} and ${b}`);
            }
          }
        }
      }),
      { numRuns: 5000 },
    );
  });

  it("is not for names with other bytes, or so long ones", () => {
    for (const other of ["\x1f", "\x7f", "é", "a".repeat(201)]) {
      const bytes = new TextEncoder().encode(`a${other}`);
      assert.ok(!isPlain(bytes, 0, bytes.length));
    }
  });
});

describe("NameList", () => {
  it("gives back every entry in its order, and in the reverse one", () => {
    fc.assert(fc.property(
      fc.array(entry, { maxLength: 60 }),
      fc.nat(70),
      fc.nat(70),
      (entries, start, count) => {
        const sorted = entries.toSorted(compareEntries);
        const list = listOf(entries);
        assert.equal(list.length, entries.length);
        assert.equal(list.links, entries.some(({ link }) => link));
        const names = (some: readonly NamedEntry[]) => some.map(({ kind, name }) => [kind, name]);
        assert.deepEqual(
          names(list.slice(start, start + count)),
          names(sorted.slice(start, start + count)),
        );
        const of = (wanted: string) => sorted.filter(({ kind }) => kind === wanted).reverse();
        const reverse = [...of("folder"), ...of("file")];
        const end = start + count;
        assert.deepEqual(names(list.slice(start, end, true)), names(reverse.slice(start, end)));
        const byName = (all: readonly NamedEntry[]) =>
          all.map((each) => JSON.stringify([each.name, each.kind, each.link])).sort();
        assert.deepEqual(byName(list.slice(0, Infinity)), byName(entries));
      },
    ));
  });

  it("sorts many names, whatever their order is, in steps", () => {
    const entries = Array.from({ length: 20_000 }, (_, i): NamedEntry => ({
      name: `${i % 7 === 0 ? "Ä" : "a"}${(i * 7919) % 20_000}.txt`,
      kind: i % 5 === 0 ? "folder" : "file",
      link: false,
    }));
    const collector = new NameCollector();
    for (const each of entries) collector.add(each);
    let steps = 0;
    const sort = collector.sort();
    let step = sort.next();
    for (; !step.done; step = sort.next()) steps++;
    assert.ok(steps > 100, `${steps} steps`);
    assert.deepEqual(step.value.slice(0, Infinity), entries.toSorted(compareEntries));
  });

  it("takes little more memory than the names", () => {
    const entries = Array.from({ length: 100_000 }, (_, i): NamedEntry => ({
      name: `é-${i}.txt`,
      kind: "file",
      link: false,
    }));
    const bytes = entries.reduce((sum, { name }) => sum + Buffer.byteLength(name), 0);
    assert.equal(listOf(entries).bytes, bytes + 5 * entries.length);
  });
});
