// Where the batch view stands; it lives on while other views are shown.
import { signal } from "@preact/signals";
import { choice } from "../api.ts";
import { answersOf, type Kept, Keeper } from "./kept.ts";
import { type Loaded, Reading, refused } from "./reading.ts";
import { Run } from "./run.ts";
import { type Answers, TableData } from "./table-data.ts";
import type { Settings } from "./types.ts";

export interface Results {
  data: TableData;
  run: Run;
  loaded: Loaded;
  keeper: Keeper;
}

export type Step =
  | { name: "choose" }
  | { name: "preview"; reading: Reading }
  | { name: "loading"; reading: Reading }
  | { name: "results"; results: Results };

export const step = signal<Step>({ name: "choose" });

export function openFile(file: File): void {
  leave();
  const reading = new Reading(file);
  step.value = { name: "preview", reading };
}

refused.subscribe((why) => {
  if (why) step.value = { name: "choose" };
});

export async function analyzeFile(reading: Reading, settings: Settings): Promise<void> {
  await analyze(reading, settings);
}

/** Go on with a file that a reload or a closed tab interrupted. */
export async function continueFile(kept: Kept): Promise<void> {
  leave();
  await analyze(new Reading(kept.file, kept.format), kept, { kept, answers: await answersOf(kept) });
}

async function analyze(
  reading: Reading,
  { format, header, textColumn }: Settings,
  before?: { kept: Kept; answers: Answers | undefined },
): Promise<void> {
  step.value = { name: "loading", reading };
  const loaded = await reading.load(format);
  const first = header ? loaded.rows.shift() : undefined;
  const width = loaded.rows.reduce((most, row) => Math.max(most, row.length), Math.max(first?.length ?? 0, textColumn + 1));
  const columns = columnNames(first ?? loaded.keys, width);
  if (!loaded.rows.length) {
    refused.value = { file: reading.file.name, why: "emptyFile", detail: "" };
    return;
  }
  const { file } = reading;
  const data = new TableData(file.name, columns, loaded.rows, textColumn, before?.answers);
  const kept = before?.kept ?? {
    id: `${Date.now()}-${Math.random()}`,
    file,
    rows: data.length,
    begun: Date.now(),
    format,
    header,
    textColumn,
    model: choice.value?.name,
  };
  const run = new Run(data, kept.model);
  const keeper = new Keeper(kept, data);
  run.progress.subscribe(({ phase }) => {
    if (phase !== "running") keeper.hurry();
  });
  step.value = { name: "results", results: { data, run, loaded, keeper } };
  void run.start();
}

/** A name for each column, none twice. */
export function columnNames(given: string[], width: number): string[] {
  const used = new Set<string>();
  return Array.from({ length: width }, (_, index) => {
    const wanted = given[index]?.trim() || `#${index + 1}`;
    let name = wanted;
    for (let n = 2; used.has(name); n++) name = `${wanted} (${n})`;
    used.add(name);
    return name;
  });
}

export function leave(): void {
  const now = step.value;
  if (now.name === "results") {
    now.results.run.stop();
    void now.results.keeper.forget();
  }
  if (now.name === "preview" || now.name === "loading") now.reading.close();
  step.value = { name: "choose" };
}

addEventListener("beforeunload", (event) => {
  const now = step.value;
  if (now.name === "results" && now.results.data.done && !now.results.keeper.holds.value) event.preventDefault();
});
