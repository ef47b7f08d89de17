/** The help for the keyboard. @module */

/** Keys and what they do, in the order of the help. */
const KEYS: readonly (readonly [keys: string, effect: string])[] = [
  ["↓ ↑", "next and previous entry"],
  ["Home End", "first and last entry"],
  ["Enter", "open the entry, or preview an image, video or sound"],
  ["Backspace", "parent folder"],
  ["/", "filter by name"],
  ["Esc", "clear the filter, or close a preview"],
  ["← →", "previous and next preview"],
  ["?", "this help"],
];

/** The dialog. */
export const HELP: string = `<dialog id="help" aria-label="Keyboard"><h2>Keyboard</h2><dl>${
  KEYS.map(([keys, effect]) => {
    const names = keys.split(" ").map((key) => `<kbd>${key}</kbd>`).join(" ");
    return `<dt>${names}</dt><dd>${effect}</dd>`;
  }).join("")
}</dl><button type="button">Close</button></dialog>`;
