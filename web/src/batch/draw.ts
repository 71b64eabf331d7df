// The only code that knows ECharts; a chunk of its own. Canvas on the page, vectors when saved.
import { BarChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TitleComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";
import { number, percent, t } from "../i18n.ts";
import { LABELS, type Label } from "../sentiment.ts";
import { type Group, total, type Word } from "./stats.ts";

echarts.use([BarChart, AriaComponent, GridComponent, LegendComponent, TitleComponent, TooltipComponent, CanvasRenderer, SVGRenderer]);

export interface Series {
  groups?: Group[];
  words?: Word[];
  /** Show shares of each group rather than counts. */
  share?: boolean;
}

// Okabe and Ito's palette, which people see apart whatever colours they see; on dark ground its lighter half.
const COLOURS: Record<"light" | "dark", Record<Label, string>> = {
  light: { positive: "#0072B2", neutral: "#8A8F98", negative: "#D55E00" },
  dark: { positive: "#56B4E9", neutral: "#9AA3AF", negative: "#F0883E" },
};
/** Each label has a pattern beside its colour; the page itself says what a chart shows. */
const PATTERNS = { enabled: true, label: { enabled: false }, decal: { show: true } };
/** Without quotes, which ECharts would not escape in an SVG's attributes. */
const FONT = "system-ui, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif";

export class Drawing {
  #chart: echarts.ECharts;
  #observer: ResizeObserver;
  #option: echarts.EChartsCoreOption = {};
  #dark = false;

  constructor(box: HTMLElement) {
    this.#chart = echarts.init(box, null, { renderer: "canvas" });
    this.#observer = new ResizeObserver(() => this.#chart.resize());
    this.#observer.observe(box);
  }

  show(title: string, series: Series, dark: boolean): void {
    this.#dark = dark;
    this.#option = series.words ? wordsOption(series.words, dark) : groupsOption(series, dark);
    this.#chart.setOption({ ...this.#option, aria: PATTERNS, title: { show: false, text: title } }, true);
  }

  async png(): Promise<Blob> {
    const url = this.#chart.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: this.#ground });
    const bytes = Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (char) => char.charCodeAt(0));
    return new Blob([bytes], { type: "image/png" });
  }

  async svg(): Promise<Blob> {
    const size = { width: this.#chart.getWidth(), height: this.#chart.getHeight() };
    const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...size });
    chart.setOption({ ...this.#option, animation: false, backgroundColor: this.#ground, aria: PATTERNS });
    const text = chart.renderToSVGString();
    chart.dispose();
    return new Blob([text], { type: "image/svg+xml" });
  }

  get #ground(): string {
    return this.#dark ? "#171b21" : "#ffffff";
  }

  close(): void {
    this.#observer.disconnect();
    this.#chart.dispose();
  }
}

function base(dark: boolean) {
  const ink = dark ? "#e6e9ee" : "#1b2430";
  const line = dark ? "#3a424e" : "#d5dae2";
  return {
    ink,
    line,
    option: {
      animation: false,
      textStyle: { fontFamily: FONT, color: ink },
      // As drawn text: HTML would need inline style, and cells are never markup.
      tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" }, confine: true },
      grid: { left: 8, right: 16, top: 40, bottom: 8, containLabel: true },
    },
  };
}

function groupsOption({ groups = [], share }: Series, dark: boolean): echarts.EChartsCoreOption {
  const { ink, line, option } = base(dark);
  const sums = groups.map(({ counts }) => total(counts));
  const format = (value: number) => (share ? percent(value, 0) : number(value));
  return {
    ...option,
    legend: { top: 0, textStyle: { color: ink }, data: LABELS.map((label) => t(label)) },
    xAxis: {
      type: "category",
      data: groups.map(({ name }) => short(name)),
      axisLabel: { color: ink, hideOverlap: true },
      axisLine: { lineStyle: { color: line } },
    },
    yAxis: {
      type: "value",
      ...(share ? { max: 1 } : { minInterval: 1 }),
      axisLabel: { color: ink, formatter: format },
      splitLine: { lineStyle: { color: line } },
    },
    series: LABELS.map((label) => ({
      name: t(label),
      type: "bar",
      stack: "all",
      barMaxWidth: 60,
      itemStyle: { color: COLOURS[dark ? "dark" : "light"][label] },
      tooltip: { valueFormatter: format },
      data: groups.map(({ counts }, i) => (share ? counts[label] / (sums[i] || 1) : counts[label])),
    })),
  };
}

function wordsOption(words: Word[], dark: boolean): echarts.EChartsCoreOption {
  const { ink, line, option } = base(dark);
  const colours = COLOURS[dark ? "dark" : "light"];
  const bottomUp = [...words].reverse();
  return {
    ...option,
    grid: { ...option.grid, top: 8 },
    xAxis: { type: "value", axisLabel: { color: ink }, splitLine: { lineStyle: { color: line } } },
    yAxis: {
      type: "category",
      data: bottomUp.map(({ word }) => short(word)),
      axisLabel: { color: ink, interval: 0 },
      axisLine: { lineStyle: { color: line } },
    },
    series: [
      {
        type: "bar",
        data: bottomUp.map(({ z }) => ({
          value: Math.round(z * 10) / 10,
          itemStyle: { color: z > 0 ? colours.positive : colours.negative },
        })),
      },
    ],
  };
}

const short = (name: string) => (name.length > 16 ? `${name.slice(0, 15)}…` : name);
