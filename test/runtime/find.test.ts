import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectionOf, findConnection } from "../../src/runtime/find.ts";
import { isEligible } from "../../src/runtime/response.ts";
import { TARGETS, withPair } from "../_kit/targets.ts";

const CONNECTIONS = TARGETS.filter(({ kind }) => kind !== "descriptor");
const SOCKETS = TARGETS.filter(({ kind }) => kind === "socket");

describe("findConnection()", () => {
  for (const { name, skip, kind, open } of CONNECTIONS) {
    it(`knows a ${name}`, { skip }, async () => {
      await withPair({ name, skip, kind, open, method: "none" }, ({ target }) => {
        const expected = kind === "response"
          ? "response"
          : name.includes("Bun.")
          ? "bun"
          : name.includes("Deno.")
          ? "deno"
          : "socket";
        assert.equal(findConnection(target).kind, expected);
        return Promise.resolve();
      });
    });
  }

  for (const value of [undefined, null, 1, "x", {}, Object.create(null), new Map()]) {
    it(`refuses ${typeof value} ${JSON.stringify(value)}`, () => {
      assert.throws(() => findConnection(value), TypeError);
    });
  }
});

describe("guestOf()", () => {
  for (const row of SOCKETS) {
    const { name, skip, method } = row;
    it(`${method === "copy" ? "finds none behind" : "has the descriptor of"}: ${name}`, {
      skip,
    }, async () => {
      await withPair(row, ({ target, destroy }) => {
        const connection = findConnection(target);
        assert.notEqual(connection.kind, "response");
        const runtimeConnection = connectionOf(connection as Parameters<typeof connectionOf>[0]);
        if (method === "copy") {
          assert.equal(runtimeConnection, null);
          return Promise.resolve();
        }
        assert.ok(runtimeConnection!.fd() > 2);
        destroy();
        assert.equal(runtimeConnection!.fd(), -1, "after the connection was closed");
        runtimeConnection!.release();
        assert.equal(runtimeConnection!.fd(), -1);
        runtimeConnection!.destroy();
        return Promise.resolve();
      });
    });
  }
});

describe("isEligible()", () => {
  for (const row of TARGETS.filter(({ kind }) => kind === "response")) {
    it(`is ${row.method === "sendfile"} for a ${row.name}`, { skip: row.skip }, async () => {
      await withPair(row, ({ target }) => {
        assert.equal(isEligible(target as never), row.method === "sendfile");
        return Promise.resolve();
      });
    });
  }
});
