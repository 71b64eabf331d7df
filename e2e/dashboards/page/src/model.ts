/** What of a dashboard's JSON is drawn here; Grafana's schema has read all of it before. */
import type { DataTransformerConfig, FieldConfigSource } from "@grafana/data";

export interface Target {
  refId: string;
  expr: string;
  legendFormat: string;
  format?: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: FieldConfigSource;
  // Of each type its own.
  options: any;
  targets: Target[];
  transformations?: DataTransformerConfig[];
  collapsed?: boolean;
  panels?: Panel[];
}

export interface Dashboard {
  title: string;
  time: { from: string; to: string };
  templating: { list: { name: string; type: string; label: string }[] };
  panels: Panel[];
}
