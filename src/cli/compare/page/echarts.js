/**
 * What is used of echarts, and nothing else of it: imported by name, so that a bundler sees what it
 * may leave out. JavaScript, because the types of echarts need those of a browser.
 *
 * @module
 */

import { BarChart, CustomChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, CustomChart, GridComponent, SVGRenderer]);

export { init };
