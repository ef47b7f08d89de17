/** Draws charts with echarts as static SVG, which needs no script. @module */

import type { init as Init } from "./echarts.js";
import { figure } from "../summary.ts";
import { labelOf } from "../table.ts";
import type { CacheState, Row, Summary } from "../types.ts";

/** Draws charts. */
export interface Charts {
  /** CPU seconds per gigabyte: user and system time, one bar for each cache state. */
  cpu(rows: readonly Row[]): string;
  /** Gigabytes per second, one bar for each cache state. */
  speed(rows: readonly Row[]): string;
}

/** Loads echarts, which takes a moment. */
export async function loadCharts(): Promise<Charts> {
  const { init } = await import("./echarts.js");
  return {
    cpu: (rows) =>
      draw(init, "CPU seconds per gigabyte", rows, (cache, shift, values) => [
        bar(cache, "user", USER, values.map((row) => share(row, "userPerGb"))),
        bar(cache, "system", SYSTEM, values.map((row) => share(row, "systemPerGb"))),
        whiskers(cache, shift, values.map((row) => row?.cpuPerGb)),
      ]),
    speed: (rows) =>
      draw(init, "Gigabytes a second", rows, (cache, shift, values) => [
        bar(cache, "speed", SPEED, values.map((row) => row?.gbPerSecond.median ?? 0)),
        whiskers(cache, shift, values.map((row) => row?.gbPerSecond)),
      ]),
  };
}

/**
 * Returns a part of a bar: the median of the sum, divided in the ratio of the two medians. Medians
 * do not add up, and the bar must end at its label's value.
 */
function share(row: Row | undefined, part: "userPerGb" | "systemPerGb"): number {
  if (row === undefined) return 0;
  const sum = row.userPerGb.median + row.systemPerGb.median;
  return sum === 0 ? 0 : row.cpuPerGb.median * (row[part].median / sum);
}

/** The chart is drawn twice: for a desk, and for a phone. The style sheet shows one of them. */
const SIZES = [
  { name: "wide", width: 620, labels: 184, font: 12.5, small: 11.5, splits: 5 },
  { name: "narrow", width: 330, labels: 174, font: 12, small: 11.5, splits: 2 },
] as const;
const BAR = 13;
/** Gap between two bars, in bar widths. */
const GAP = 0.35;
/** Height of a method's row, by its number of bars. */
const PLACE = { 1: 38, 2: 52 } as const;

/** Placeholders that the style sheet replaces by colours for light and dark. */
const INK = "#010101";
const FAINT = "#020202";
const LINE = "#030303";
const USER = "#040404";
const SYSTEM = "#050505";
const SPEED = "#060606";
const VARIABLES: Record<string, string> = {
  [INK]: "--ink",
  [FAINT]: "--faint",
  [LINE]: "--line",
  [USER]: "--user",
  [SYSTEM]: "--system",
  [SPEED]: "--speed",
};

/** Opacity of bars by cache state. */
const OPACITY: Record<CacheState, number> = { warm: 1, cold: 0.45 };

type Series = Record<string, unknown>;

function draw(
  init: typeof Init,
  title: string,
  rows: readonly Row[],
  make: (cache: CacheState, shift: number, values: readonly (Row | undefined)[]) => Series[],
): string {
  const methods = [...new Set(rows.map(({ method }) => method))];
  const caches = [...new Set(rows.map(({ cache }) => cache))];
  const series = caches.flatMap((cache, index) => {
    const values = methods.map((name) =>
      rows.find((row) => row.method === name && row.cache === cache)
    );
    // Offset of this bar from the middle of its row, for the gap that `bar` requests.
    const shift = caches.length === 1 ? 0 : (index === 0 ? -1 : 1) * ((BAR * (1 + GAP)) / 2);
    return make(cache, shift, values);
  });
  const height = methods.length * PLACE[caches.length === 2 ? 2 : 1] + 34;
  const option = (size: typeof SIZES[number]) => ({
    animation: false,
    textStyle: { fontFamily: "inherit", fontSize: size.font },
    grid: { left: size.labels, right: 44, top: 6, bottom: 26 },
    xAxis: {
      type: "value",
      splitNumber: size.splits,
      axisLabel: { color: FAINT, fontSize: size.small },
      splitLine: { lineStyle: { color: LINE } },
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: methods.map(labelOf),
      axisLine: { lineStyle: { color: LINE } },
      axisTick: { show: false },
      axisLabel: { color: INK, fontSize: size.font },
    },
    series,
  });
  return SIZES.map((size) => {
    const chart = init(null, null, { renderer: "svg", ssr: true, width: size.width, height });
    chart.setOption(option(size));
    const svg = chart.renderToSVGString();
    chart.dispose();
    return responsive(svg, size.name, title);
  }).join("");
}

function bar(cache: CacheState, name: string, color: string, data: readonly number[]): Series {
  return {
    type: "bar",
    name: `${name} ${cache}`,
    stack: cache,
    data,
    barWidth: BAR,
    barGap: `${GAP * 100}%`,
    itemStyle: { color, opacity: OPACITY[cache], borderRadius: 2 },
  };
}

/** Prints the median, and draws the smallest and largest round as a line across the bar's end. */
function whiskers(
  cache: CacheState,
  shift: number,
  values: readonly (Summary | undefined)[],
): Series {
  return {
    type: "custom",
    name: `spread ${cache}`,
    data: values.map((value, index) => [value?.min ?? 0, value?.max ?? 0, index]),
    encode: { x: [0, 1], y: 2 },
    z: 5,
    silent: true,
    renderItem(
      _: unknown,
      api: {
        value(dimension: number): number;
        coord(point: [number, number]): [number, number];
      },
    ) {
      const [low, high, index] = [api.value(0), api.value(1), api.value(2)];
      const value = values[index];
      if (value === undefined) return null;
      const [x1, y] = api.coord([low, index]);
      const [x2] = api.coord([high, index]);
      const centre = y + shift;
      const children = [...whisker(x1, x2, centre), digits(x2 + 7, centre, figure(value.median))];
      return { type: "group", children };
    },
  };
}

function whisker(x1: number, x2: number, y: number): Series[] {
  if (x2 - x1 < 1) return [];
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    type: "line",
    shape: { x1, y1, x2, y2 },
    style: { stroke: INK, lineWidth: 1, opacity: 0.55 },
  });
  return [line(x1, y, x2, y), line(x1, y - 3, x1, y + 3), line(x2, y - 3, x2, y + 3)];
}

function digits(x: number, y: number, text: string): Series {
  return {
    type: "text",
    style: {
      text,
      x,
      y,
      fill: FAINT,
      fontSize: 11.5,
      fontFamily: "inherit",
      verticalAlign: "middle",
    },
  };
}

function responsive(svg: string, name: string, title: string): string {
  const colours = new RegExp(Object.keys(VARIABLES).join("|"), "g");
  return svg
    .replace(
      /<svg width="\d+" height="\d+"/,
      `<svg class="${name}" role="img" aria-label="${title}"`,
    )
    .replace(colours, (colour) => `var(${VARIABLES[colour]})`);
}
