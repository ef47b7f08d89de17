/** A relay between sockets of the test, for the tests of relaying. @module */

import { createRelay } from "../../src/move/relay/server/create_relay.ts";
import type { Relay, RelayServerOptions } from "../../src/move/relay/server/relay_server.ts";
import type { SocketAddress } from "../../src/sys/mod.ts";
import { formatAddress } from "../../src/move/relay/endpoint.ts";
import { Listener, Peer } from "../_kit/peer.ts";

/** A listening relay, its upstream, and the resources to close at the end. */
export interface Rig extends AsyncDisposable {
  readonly relay: Relay;
  readonly upstream: Listener;
  readonly address: SocketAddress;
  /** A client, and what the upstream has accepted for it. */
  connect(): [client: Peer, server: Peer];
  /** Makes a peer be closed with the rest. */
  own(peer: Peer): Peer;
  close(): Promise<void>;
}

/** Starts a relay. */
export async function rig(
  options: Partial<RelayServerOptions> = {},
  upstream: Listener = new Listener(),
): Promise<Rig> {
  const relay = createRelay({
    listen: ":0",
    upstream: formatAddress(upstream.address),
    ...options,
  });
  const address = await relay.listen();
  const peers: Peer[] = [];
  const own = (peer: Peer) => {
    peers.push(peer);
    return peer;
  };
  const close = async () => {
    await relay.close({ graceMs: 0 });
    upstream.close();
    for (const peer of peers) peer.close();
  };
  return {
    relay,
    upstream,
    address,
    own,
    connect() {
      const client = own(Peer.connect(address));
      return [client, own(upstream.accept())];
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Runs a test body with a relay, which is closed afterwards. */
export function withRig(
  options: Partial<RelayServerOptions>,
  body: (rig: Rig) => Promise<void> | void,
): () => Promise<void> {
  return async () => {
    const made = await rig(options);
    try {
      await body(made);
    } finally {
      await made.close();
    }
  };
}
