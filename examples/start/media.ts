/** Generates files that a browser can show and play. @module */

import { crc32, deflateSync } from "node:zlib";

/** The title, one character per pixel. */
const TITLE = [
  " #### #     #   # #####  #### #####",
  "#     #     #   #   #   #     #    ",
  "#     #     #   #   #   #     #    ",
  " ###  #     #   #   #   #     #### ",
  "    # #     #   #   #   #     #    ",
  "    # #     #   #   #   #     #    ",
  "####  #####  ###  #####  #### #####",
];

/** Draws a PNG with a gradient and the title in its middle. */
export function gradient(width: number, height: number): Uint8Array {
  const scale = Math.floor(width / (TITLE[0]!.length + 12));
  const left = Math.floor((width - TITLE[0]!.length * scale) / 2);
  const top = Math.floor((height - TITLE.length * scale) / 2);
  // Each line begins with its filter type: 0, none.
  const pixels = new Uint8Array(height * (1 + 3 * width));
  for (let y = 0, at = 0; y < height; y++) {
    at++;
    for (let x = 0; x < width; x++) {
      const cell = TITLE[Math.floor((y - top) / scale)]?.[Math.floor((x - left) / scale)];
      const [u, v] = [x / width, y / height];
      const color = cell === "#" ? [255, 255, 255] : [20 + 60 * v, 90 + 110 * u, 200 - 90 * u * v];
      for (const value of color) pixels[at++] = value;
    }
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint16(8, 0x0802); // 8 bits each of red, green and blue
  return Buffer.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", deflateSync(pixels)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type), data]);
  const bytes = Buffer.alloc(body.length + 8);
  bytes.writeUInt32BE(data.length);
  bytes.set(body, 4);
  bytes.writeUInt32BE(crc32(body), body.length + 4);
  return bytes;
}

/** Draws an SVG of the path of the bytes, past JavaScript. */
export function drawing(): string {
  const box = (x: number, y: number, text: string) =>
    `<rect x="${x}" y="${y}" width="130" height="50" rx="8" fill="none" stroke="#286ec8"/>` +
    `<text x="${x + 65}" y="${y + 31}" text-anchor="middle">${text}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 200" font-family="sans-serif">
<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">
<path d="M0 0 8 4 0 8z" fill="#286ec8"/></marker></defs>
<rect width="520" height="200" fill="#fff"/>
${box(20, 120, "page cache")}${box(370, 120, "socket")}${box(195, 20, "JavaScript")}
<g stroke="#286ec8" stroke-width="3" fill="none">
<path d="M150 145h218" marker-end="url(#tip)"/>
<path d="M85 118 193 60M327 60l108 58" stroke="#bbb" stroke-width="1" stroke-dasharray="5 5"/>
</g>
<text x="260" y="137" text-anchor="middle" fill="#286ec8">sendfile</text>
</svg>
`;
}

const RATE = 22_050;

/** Generates a scale of quiet tones, one per second, as a WAV file in which a player can seek. */
export function tones(seconds: number): Uint8Array {
  const samples = seconds * RATE;
  const bytes = Buffer.alloc(44 + samples * 2);
  bytes.write("RIFF");
  bytes.writeUInt32LE(36 + samples * 2, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt32LE(0x0001_0001, 20); // plain samples, one channel
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE * 2, 28);
  bytes.writeUInt32LE(0x0010_0002, 32); // two bytes per sample
  bytes.write("data", 36);
  bytes.writeUInt32LE(samples * 2, 40);
  const scale = [0, 2, 4, 7, 9, 12, 9, 7, 4, 2];
  for (let i = 0; i < samples; i++) {
    const second = Math.floor(i / RATE);
    const hertz = 220 * 2 ** (scale[second % scale.length]! / 12);
    const fade = Math.sin((Math.PI * (i % RATE)) / RATE);
    bytes.writeInt16LE(6000 * fade * Math.sin((2 * Math.PI * hertz * i) / RATE), 44 + i * 2);
  }
  return bytes;
}
