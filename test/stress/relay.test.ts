import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertDescriptors, openDescriptors } from "../_kit/descriptors.ts";
import { until } from "../_kit/peer.ts";
import { rig } from "../move/_relay.ts";

const CONNECTIONS = 10_000;

describe("a relay for a long time", () => {
  it(`leaves no descriptor after ${CONNECTIONS} connections`, { timeout: 600_000 }, async () => {
    const { close, connect, relay } = await rig({ threads: 2 });
    const round = async () => {
      for (let i = 0; i < 100; i++) {
        const [client, server] = connect();
        client.send("x");
        server.receives("x");
        if (i % 4 === 0) client.reset();
        else if (i % 4 === 1) server.reset();
        client.close();
        server.close();
      }
      await until(() => relay.stats().active === 0, "the connections end");
    };
    await round();
    const before = openDescriptors();
    for (let done = 0; done < CONNECTIONS; done += 100) await round();
    await assertDescriptors(before);
    assert.equal(relay.stats().accepted, CONNECTIONS + 100);
    await close();
  });
});
