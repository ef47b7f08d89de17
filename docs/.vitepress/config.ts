/** The site made of this folder: `npm run docs:dev` shows it, `npm run docs:build` writes it. @module */

import { readdirSync, readFileSync } from "node:fs";

const REPOSITORY = "https://github.com/sluice-io/sluice";
const docs = new URL("../", import.meta.url);

/** A page with its first heading as the text of its link. */
function page(name: string): { text: string; link: string } {
  const [, text = name] = /^# (.*)$/m.exec(readFileSync(new URL(name, docs), "utf8")) ?? [];
  return { text: text.replaceAll("`", ""), link: `/${name.replace(/(?:README)?\.md$/, "")}` };
}

const decisions = readdirSync(new URL("decisions/", docs))
  .filter((name) => /^\d.*\.md$/.test(name))
  .sort();

export default {
  title: "sluice",
  description: "Zero-copy I/O for Node.js, Bun and Deno",
  lang: "en",
  cleanUrls: true,
  rewrites: { "decisions/README.md": "decisions/index.md" },
  markdown: {
    config(md: { renderer: { rules: Record<string, unknown> } }) {
      // Files of the repository that are no pages, such as examples, are linked to where they lie.
      const links = md.renderer.rules["link_open"] as Rule | undefined;
      md.renderer.rules["link_open"] = (
        ...[tokens, index, options, env, self]: Parameters<Rule>
      ) => {
        const link = tokens[index]!.attrs.find(([name]) => name === "href")!;
        link[1] = link[1].replace(/^(?:\.\.\/)+/, `${REPOSITORY}/blob/main/`);
        return links?.(tokens, index, options, env, self) ??
          self.renderToken(tokens, index, options);
      };
    },
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide" },
      { text: "Reference", link: "/api/sluice" },
      { text: "Measurements", link: "/benchmarks" },
    ],
    sidebar: [
      {
        text: "Use",
        items: [
          "guide.md",
          "examples.md",
          "http.md",
          "https.md",
          "mapping.md",
          "coming-from.md",
          "faq.md",
        ].map(page),
      },
      {
        text: "Run",
        items: [
          "cli.md",
          "safety.md",
          "permissions.md",
          "containers.md",
          "scale.md",
          "benchmarks.md",
        ].map(page),
      },
      { text: "Reference", items: ["api/sluice.md", "api/http.md", "api/sys.md"].map(page) },
      {
        text: "Decisions",
        collapsed: true,
        items: decisions.map((name) => page(`decisions/${name}`)),
      },
    ],
    search: { provider: "local" },
    outline: [2, 3],
    socialLinks: [{ icon: "github", link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/docs/:path` },
  },
};

interface Token {
  readonly attrs: [name: string, value: string][];
}

type Rule = (
  tokens: readonly Token[],
  index: number,
  options: unknown,
  env: unknown,
  self: { renderToken(tokens: readonly Token[], index: number, options: unknown): string },
) => string;
