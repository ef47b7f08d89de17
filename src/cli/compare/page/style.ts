/** The style sheet of the page. @module */

/** CSS with light and dark colours. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #f7f8fa; --card: #ffffff; --ink: #16202e; --faint: #5d6b7e; --line: #e3e8ee;
  --user: #e0912b; --system: #2f6fde; --speed: #12917f;
  --copy: #b4461a; --share: #0c7264; --device: #8593a5; --best: #e5f5f1;
  --user-space: #fdf4ea; --kernel-space: #eef3fa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0e141c; --card: #161e29; --ink: #e6ecf3; --faint: #94a3b5; --line: #273241;
    --user: #f0a84b; --system: #5b93f5; --speed: #2fbfa8;
    --copy: #f0824f; --share: #2fbfa8; --device: #75859a; --best: #14302e;
    --user-space: #2a2118; --kernel-space: #182334;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { overflow-wrap: anywhere; max-width: 1320px; margin: 0 auto; padding: 56px 32px 80px; }
header p { color: var(--faint); margin: 4px 0; }
h1 { font-size: 42px; line-height: 1.15; letter-spacing: -0.02em; margin: 0 0 14px; max-width: 26em; }
h1 em { font-style: normal; color: var(--share); }
h2 { font-size: 26px; letter-spacing: -0.01em; margin: 72px 0 6px; }
h3 { font-size: 16px; margin: 0 0 10px; }
.overline { text-transform: uppercase; letter-spacing: 0.12em; font-size: 12.5px; font-weight: 600;
  color: var(--share); margin: 0 0 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 16px; }
.tile, .card { min-width: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 20px 22px; }
.tile b { display: block; font-size: 34px; letter-spacing: -0.02em; line-height: 1.2; }
.tile span { color: var(--faint); font-size: 14.5px; }
.card { padding: 20px 22px; }
.verdict { border-left: 4px solid var(--share); padding: 2px 0 2px 16px; margin: 14px 0 20px; }
.verdict p { margin: 4px 0; } .verdict ul { margin: 4px 0 12px; padding-left: 20px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr));
  gap: 16px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--faint); font-size: 13.5px;
  margin: 0 0 8px; }
.legend.where { margin-top: 34px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
svg.narrow { display: none; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
.way { margin-top: 34px; }
.flows { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 390px), 1fr));
  gap: 16px; margin-top: 16px; }
.flow.best { border-color: var(--share); box-shadow: 0 0 0 1px var(--share); }
.flow h3 { display: flex; justify-content: space-between; gap: 12px; }
.flow h3 small { font-weight: 400; color: var(--faint); white-space: nowrap; }
.flow dl { display: grid; grid-template-columns: repeat(4, auto); justify-content: space-between;
  gap: 0 10px; margin: 12px 0 0; font-size: 13px; }
.flow dt { color: var(--faint); grid-row: 2; } .flow dd { margin: 0; font-weight: 600; grid-row: 1;
  font-variant-numeric: tabular-nums; }
.user-space { fill: var(--user-space); } .kernel-space { fill: var(--kernel-space); }
.band { fill: var(--faint); font-size: 11px; }
.box { fill: var(--card); stroke: var(--faint); } .box.idle { stroke: var(--line); fill: none; }
.name { fill: var(--ink); font-size: 12px; } .name.idle { fill: var(--faint); opacity: 0.6; }
.note { font-size: 11.5px; fill: var(--faint); }
.note.copy { fill: var(--copy); } .note.share { fill: var(--share); }
.arrow { stroke-width: 3; } .arrow.copy { stroke: var(--copy); } .arrow.share { stroke: var(--share); }
.arrow.device { stroke: var(--device); stroke-width: 2; }
.head.copy { fill: var(--copy); } .head.share { fill: var(--share); } .head.device { fill: var(--device); }
.scroll { overflow-x: auto; margin-top: 16px; padding: 8px 6px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { color: var(--faint); font-weight: 500; text-align: right; }
th, td { padding: 6px 12px; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; } tr.best td { background: var(--best); font-weight: 600; }
details summary { cursor: pointer; color: var(--faint); margin-top: 16px; }
footer { margin-top: 72px; color: var(--faint); font-size: 14.5px; }
footer li { margin: 4px 0; }
code { font: 0.92em ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  main { padding: 32px 16px 56px; } h1 { font-size: 30px; } .card { padding: 16px 14px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 10px; } .tile { padding: 14px; }
  .tile b { font-size: 26px; }
  svg.wide { display: none; } svg.narrow { display: block; }
  h1 { overflow-wrap: break-word; } h2 { margin-top: 52px; } .charts .card { padding: 16px 10px; }
  .flows { display: flex; overflow-x: auto; gap: 12px; } .flow { flex: none; width: 482px; }
}
`;
