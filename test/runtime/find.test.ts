import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectionOf, findConnection } from "../../src/runtime/find.ts";
import { isEligible } from "../../src/runtime/response.ts";
import { DESCRIPTOR } from "../_kit/serve.ts";
import { TARGETS, withPair } from "../_kit/targets.ts";

const CONNECTIONS = TARGETS.filter(({ kind }) => kind !== "descriptor");
const SOCKETS = TARGETS.filter(({ kind }) => kind === "socket");

describe("findConnection()", () => {
  for (const target of CONNECTIONS) {
    const { kind, name, skip } = target;
    it(`knows a ${name}`, { skip }, async () => {
      await withPair({ ...target, method: "none" }, ({ target }) => {
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
    const expected = DESCRIPTOR && row.method === "sendfile";
    it(`is ${expected} for a ${row.name}`, { skip: row.skip }, async () => {
      await withPair(row, ({ target }) => {
        assert.equal(isEligible(target as never), expected);
        return Promise.resolve();
      });
    });
  }
});
