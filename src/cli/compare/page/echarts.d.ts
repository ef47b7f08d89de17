/** The used part of echarts. @module */

/** A chart without an element, which only `renderToSVGString()` reads. */
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
