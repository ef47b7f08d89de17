import { describe, it } from "node:test";
import { throwAt } from "../http/server/_mutate.ts";
import { serveSite } from "../http/server/_site.ts";

const COUNT = 1_000_000;

describe(`${COUNT} requests that are almost right`, () => {
  const site = serveSite({ listing: true, precompressed: true, threads: 2 });

  it("neither crash nor hang the server, nor lead out of its root", async () => {
    await throwAt(site.port, COUNT, Date.now());
  });
});
