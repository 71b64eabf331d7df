/** What a panel may say of its fields, each option read by Grafana's own processor. */
import {
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  FieldConfigOptionsRegistry,
  type FieldConfigPropertyItem,
  type FieldConfigSource,
  identityOverrideProcessor,
  numberOverrideProcessor,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from "@grafana/data";
import type { GraphFieldConfig, TableFieldOptions } from "@grafana/schema";

const standard: Record<string, FieldConfigPropertyItem["process"]> = {
  color: identityOverrideProcessor,
  decimals: numberOverrideProcessor,
  displayName: displayNameOverrideProcessor,
  links: dataLinksOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  max: numberOverrideProcessor,
  min: numberOverrideProcessor,
  noValue: stringOverrideProcessor,
  thresholds: thresholdsOverrideProcessor,
  unit: unitOverrideProcessor,
};
/** By the panel's type: the fields of Grafana's own schema that the dashboards use. */
const custom: Record<string, string[]> = {
  stat: [],
  table: ["align", "cellOptions", "inspect", "width"] satisfies (keyof TableFieldOptions)[],
  timeseries: [
    "axisSoftMax",
    "drawStyle",
    "fillOpacity",
    "lineStyle",
    "lineWidth",
    "showPoints",
    "spanNulls",
    "stacking",
    "thresholdsStyle",
  ] satisfies (keyof GraphFieldConfig)[],
};

function item(path: string, process: FieldConfigPropertyItem["process"], isCustom: boolean): FieldConfigPropertyItem {
  const none = () => null;
  return {
    id: isCustom ? `custom.${path}` : path,
    path,
    name: path,
    isCustom,
    process,
    editor: none,
    override: none,
    shouldApply: () => true,
  };
}

/** The options of a type of panels. Throws for a configuration that has others: Grafana would ignore them. */
export function optionsOf(type: string, config: FieldConfigSource): FieldConfigOptionsRegistry {
  const items = Object.entries(standard).map(([path, process]) => item(path, process, false));
  items.push(...(custom[type] ?? []).map((path) => item(path, identityOverrideProcessor, true)));
  const { custom: own = {}, ...defaults } = config.defaults;
  const said = [
    ...Object.keys(defaults),
    ...Object.keys(own).map((name) => `custom.${name}`),
    ...config.overrides.flatMap(({ properties }) => properties.map(({ id }) => id)),
  ];
  const known = new Set(items.map(({ id }) => id));
  const unknown = said.filter((id) => !known.has(id));
  if (unknown.length) throw new Error(`unknown in fieldConfig: ${unknown.join(", ")}`);
  return new FieldConfigOptionsRegistry(() => items);
}
