/** What is inside a panel: Grafana's components, given what Grafana's library makes of the JSON and the answers. */
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  type DataFrame,
  type FieldConfigOptionsRegistry,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  type GrafanaTheme2,
  standardTransformers,
  standardTransformersRegistry,
  type TimeRange,
  transformDataFrame,
  type TransformerRegistryItem,
  VizOrientation,
} from "@grafana/data";
import { BigValue, BigValueGraphMode, TimeSeries, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import type { ReactNode } from "react";
import { lastValueFrom } from "rxjs";
import { answers } from "./answers.ts";
import { optionsOf } from "./fields.ts";
import type { Panel } from "./model.ts";

export interface Surroundings {
  range: TimeRange;
  theme: GrafanaTheme2;
  /** Puts the dashboard's variables into a text. */
  fill: (text: string) => string;
}
interface Drawing extends Surroundings {
  panel: Panel;
  frames: DataFrame[];
  width: number;
  height: number;
}
export type Inside = (width: number, height: number) => ReactNode;

const TIME_ZONE = "utc";
const kinds: Record<string, (drawing: Drawing) => ReactNode> = { stat, table, timeseries };

// Some stand there under two names.
standardTransformersRegistry.setInit(() =>
  [...new Set(Object.values(standardTransformers))].map(
    (found) => ({ id: found.id, transformation: () => Promise.resolve(found) }) as unknown as TransformerRegistryItem,
  ),
);

/** Asks for what a panel shows. Throws when it has no data, or is of a kind that can't be drawn here. */
export async function prepared(panel: Panel, around: Surroundings, width: number): Promise<Inside> {
  const draw = kinds[panel.type];
  if (!draw) throw new Error(`a panel of type ${panel.type} can't be drawn`);
  const registry: FieldConfigOptionsRegistry = optionsOf(panel.type, panel.fieldConfig);
  const asked = panel.targets.map((target) => ({ ...target, expr: around.fill(target.expr) }));
  const found = await answers({ ...panel, targets: asked }, around.range, width);
  const frames = applyFieldOverrides({
    data: await lastValueFrom(transformDataFrame(panel.transformations ?? [], found)),
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry,
    replaceVariables: around.fill,
    theme: around.theme,
    timeZone: TIME_ZONE,
  });
  cacheFieldDisplayNames(frames);
  return (inner, height) => draw({ ...around, panel, frames, width: inner, height });
}

function timeseries({ frames, panel, range, width, height }: Drawing): ReactNode {
  const { legend } = panel.options;
  return (
    <TimeSeries frames={frames} timeRange={range} timeZone={TIME_ZONE} width={width} height={height} legend={legend} />
  );
}

function stat({ frames, panel, theme, fill, width, height }: Drawing): ReactNode {
  const { colorMode, graphMode, justifyMode, orientation, reduceOptions, textMode, wideLayout } = panel.options;
  const values = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig: panel.fieldConfig,
      reduceOptions,
      replaceVariables: fill,
      sparkline: graphMode !== BigValueGraphMode.None,
      theme,
      timeZone: TIME_ZONE,
    });
  return (
    <VizRepeater
      width={width}
      height={height}
      source={frames}
      getValues={values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderCounter={0}
      orientation={orientation ?? VizOrientation.Auto}
      autoGrid
      renderValue={({ value, width, height, count, alignmentFactors }) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline}
          alignmentFactors={alignmentFactors}
          count={count}
          colorMode={colorMode}
          graphMode={graphMode}
          justifyMode={justifyMode}
          textMode={textMode}
          disableWideLayout={!wideLayout}
          theme={theme}
          width={width}
          height={height}
        />
      )}
    />
  );
}

function table({ frames, panel, range, width, height }: Drawing): ReactNode {
  const [frame] = frames;
  if (!frame || frames.length > 1) throw new Error(`a table of ${frames.length} frames`);
  const { cellHeight, sortBy } = panel.options;
  return (
    <TableNG
      data={frame}
      fieldConfig={panel.fieldConfig}
      timeRange={range}
      sortBy={sortBy}
      cellHeight={cellHeight}
      width={width}
      height={height}
    />
  );
}
