/** What is used of echarts. @module */

/** A chart without an element: `renderToSVGString()` is all that comes of it. */
export interface Chart {
  setOption(option: Record<string, unknown>): void;
  renderToSVGString(): string;
  dispose(): void;
}

export declare function init(
  element: null,
  theme: null,
  options: Record<string, unknown>,
): Chart;
