/** Prometheus' answers as Grafana's data source makes frames of them. */
import { createDataFrame, type DataFrame, FieldType, rangeUtil, type TimeRange } from "@grafana/data";
import type { Panel, Target } from "./model.ts";

type Labels = Record<string, string>;
interface Series {
  metric: Labels;
  values: [number, string][];
}
interface Sample {
  metric: Labels;
  value: [number, string];
}

declare global {
  interface Window {
    /** Prometheus' HTTP API: what stands under `data.result`. */
    ask(path: string, parameters: Labels): Promise<unknown>;
  }
}

/** As wide as the panel is: Grafana asks for a point for each pixel, and for none between two scrapes. */
export async function answers(panel: Panel, range: TimeRange, width: number): Promise<DataFrame[]> {
  const step = rangeUtil.calculateInterval(range, width, "15s").intervalMs;
  const found = await Promise.all(
    panel.targets.map((target) => (target.format === "table" ? table(panel, target, range) : lines(target, range, step))),
  );
  found.forEach((frames, at) => {
    if (!frames.length) throw new Error(`no data for ${panel.targets[at]?.expr}`);
    // A line with one of them is not drawn, and it counts as the last value.
    const numbers = frames.flatMap(({ fields }) => fields.filter(({ type }) => type === FieldType.number));
    if (numbers.some(({ values }) => values.some(Number.isNaN))) throw new Error(`NaN in ${panel.targets[at]?.expr}`);
  });
  return found.flat();
}

async function lines(target: Target, range: TimeRange, step: number): Promise<DataFrame[]> {
  const aligned = (time: number) => (Math.floor(time / step) * step) / 1000;
  const result = await window.ask("/api/v1/query_range", {
    query: target.expr,
    start: String(aligned(range.from.valueOf())),
    end: String(aligned(range.to.valueOf())),
    step: String(step / 1000),
  });
  return (result as Series[]).map(({ metric, values }) => {
    const name = target.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label: string) => metric[label] ?? "");
    return createDataFrame({
      refId: target.refId,
      name,
      fields: [
        { name: "Time", type: FieldType.time, config: { interval: step }, values: values.map(([at]) => at * 1000) },
        {
          name: "Value",
          type: FieldType.number,
          labels: metric,
          config: { displayNameFromDS: name },
          values: values.map(([, value]) => Number(value)),
        },
      ],
    });
  });
}

async function table(panel: Panel, target: Target, range: TimeRange): Promise<DataFrame[]> {
  const time = String(range.to.valueOf() / 1000);
  const result = (await window.ask("/api/v1/query", { query: target.expr, time })) as Sample[];
  if (!result.length) return [];
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return [
    createDataFrame({
      refId: target.refId,
      fields: [
        { name: "Time", type: FieldType.time, values: result.map(({ value: [at] }) => at * 1000) },
        ...labels.map((label) => ({
          name: label,
          type: FieldType.string,
          values: result.map(({ metric }) => metric[label] ?? ""),
        })),
        {
          name: panel.targets.length > 1 ? `Value #${target.refId}` : "Value",
          type: FieldType.number,
          values: result.map(({ value: [, number] }) => Number(number)),
        },
      ],
    }),
  ];
}
