import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileRedirects, redirected } from "../../../src/http/rules/by_path/redirects.ts";

/** Where a rule leads a path without a query. */
function locationOf(from: string, to: string, names: string[], folder = false): unknown {
  const found = redirected({ names, folder, query: "" }, compileRedirects([{ from, to }]), false);
  return found && "location" in found ? found.location : found;
}

describe("redirects by path", () => {
  it("lead to no other host, whatever the placeholders stand for", () => {
    assert.equal(locationOf("/old*", "/:splat", ["old", "evil.example"]), "/evil.example");
    assert.equal(locationOf("/a*/:name", "/:splat/:name", ["a", "evil.example"]), "/evil.example");
  });

  it("apply to the folder of an asterisk, too", () => {
    assert.equal(locationOf("/old/*", "/new/:splat", ["old"], true), "/new/");
    assert.equal(locationOf("/old/*", "/new/:splat", ["old"]), "/new/");
    assert.equal(locationOf("/old/*", "/new/:splat", ["old", "a", "b"]), "/new/a/b");
    assert.equal(locationOf("/old/*", "/new/:splat", ["older"]), undefined);
    assert.equal(locationOf("/old/:name", "/new/:name", ["old"], true), undefined);
  });
});
