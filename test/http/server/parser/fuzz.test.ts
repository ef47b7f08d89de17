import { describe, it } from "node:test";
import { throwAt } from "../_mutate.ts";
import { serveSite } from "../_site.ts";

describe("requests that are almost right", () => {
  const site = serveSite({ listing: true, precompressed: true });

  it("neither crash nor hang the server, nor lead out of its root", async () => {
    await throwAt(site.port, 2000, 20_261_121);
  });
});
