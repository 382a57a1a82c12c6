import { use, init, getInstanceByDom } from "echarts/core";
import { LineChart, ScatterChart, HeatmapChart, ParallelChart, CustomChart } from "echarts/charts";
import { GridComponent, TooltipComponent, LegendComponent, DataZoomComponent, VisualMapComponent, ToolboxComponent, ParallelComponent, AriaComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
use([LineChart, ScatterChart, HeatmapChart, ParallelChart, CustomChart, GridComponent, TooltipComponent, LegendComponent, DataZoomComponent, VisualMapComponent, ToolboxComponent, ParallelComponent, AriaComponent, CanvasRenderer]);
export { init, getInstanceByDom };
