// The numbers behind the charts, of the rows that the filter lets through. Pure.
import { type Label, LABELS } from "../sentiment.ts";
import { toDate } from "./sniff.ts";
import type { TableData } from "./table-data.ts";

export type Counts = Record<Label, number>;

export interface Group {
  name: string;
  counts: Counts;
}

const zero = (): Counts => ({ positive: 0, neutral: 0, negative: 0 });
export const total = (counts: Counts): number => LABELS.reduce((sum, label) => sum + counts[label], 0);

export function distribution(data: TableData, rows: Uint32Array): Counts {
  const counts = zero();
  for (const row of rows) {
    const label = data.label(row);
    if (label) counts[label] += 1;
  }
  return counts;
}

function grouped(data: TableData, rows: Uint32Array, name: (row: number) => string | undefined): Map<string, Counts> {
  const groups = new Map<string, Counts>();
  for (const row of rows) {
    const label = data.label(row);
    const key = label && name(row);
    if (key === undefined || !label) continue;
    let counts = groups.get(key);
    if (!counts) groups.set(key, (counts = zero()));
    counts[label] += 1;
  }
  return groups;
}

const toGroups = (map: Map<string, Counts>): Group[] => [...map].map(([name, counts]) => ({ name, counts }));

/** How sure the answers are, in steps of five points from 50 % up. */
export function confidenceHistogram(data: TableData, rows: Uint32Array): Group[] {
  const names = Array.from({ length: 10 }, (_, i) => `${50 + 5 * i}–${55 + 5 * i}%`);
  const found = grouped(data, rows, (row) => names[Math.min(9, Math.max(0, Math.floor((data.confidence(row) - 0.5) * 20)))]);
  return names.map((name) => ({ name, counts: found.get(name) ?? zero() }));
}

const LENGTHS = [10, 20, 50, 100, 200, 500];

export function byLength(data: TableData, rows: Uint32Array): Group[] {
  const names = [...LENGTHS.map((most, i) => `${(LENGTHS[i - 1] ?? 0) + 1}–${most}`), `> ${LENGTHS.at(-1)}`];
  const found = grouped(data, rows, (row) => {
    const { length } = data.text(row);
    const step = LENGTHS.findIndex((most) => length <= most);
    return names[step < 0 ? LENGTHS.length : step];
  });
  return names.map((name) => ({ name, counts: found.get(name) ?? zero() }));
}

/** Days, or months when there are more than 92 days. */
export function overTime(data: TableData, rows: Uint32Array, column: number): Group[] {
  const day = (row: number) => toDate(data.rows[row]![column] ?? "")?.toISOString().slice(0, 10);
  let found = grouped(data, rows, day);
  if (found.size > 92) found = grouped(data, rows, (row) => day(row)?.slice(0, 7));
  return toGroups(found).sort((a, b) => a.name.localeCompare(b.name));
}

/** The largest categories; the rest together as `other`. */
export function byCategory(data: TableData, rows: Uint32Array, column: number, other: string, most = 12): Group[] {
  const groups = toGroups(grouped(data, rows, (row) => data.rows[row]![column] || "–"));
  groups.sort((a, b) => total(b.counts) - total(a.counts));
  if (groups.length <= most) return groups;
  const rest = zero();
  for (const { counts } of groups.splice(most - 1)) for (const label of LABELS) rest[label] += counts[label];
  return [...groups, { name: other, counts: rest }];
}

/** Rows of the strongest texts of one class, each text once. */
export function extremes(data: TableData, rows: Uint32Array, label: "positive" | "negative", most = 5): number[] {
  const score = (row: number) => (label === "positive" ? data.positive(row) : 1 - data.positive(row));
  const best: number[] = [];
  for (const row of rows) {
    if (data.label(row) !== label) continue;
    if (best.length === most && score(row) <= score(best[most - 1]!)) continue;
    if (best.some((one) => data.text(one) === data.text(row))) continue;
    let at = best.length;
    while (at > 0 && score(best[at - 1]!) < score(row)) at--;
    best.splice(at, 0, row);
    if (best.length > most) best.pop();
  }
  return best;
}

export interface Word {
  word: string;
  /** How far it separates the classes, in standard deviations; above 0: positive. */
  z: number;
  count: number;
}

const WORDS_FROM = 20_000; // texts at most, evenly taken
const LEAST = 3;

/**
 * Words that are more frequent in one class: log-odds with a Dirichlet prior (Monroe, Colaresi, Quinn 2008),
 * which keeps words that are merely rare from leading. A word counts once per text.
 */
export async function separatingWords(
  data: TableData,
  rows: Uint32Array,
  abort: AbortSignal,
  most = 12,
): Promise<{ words: Word[]; texts: number }> {
  if (!("Segmenter" in Intl)) return { words: [], texts: 0 };
  const segmenter = new Intl.Segmenter("zh", { granularity: "word" });
  const judged = rows.filter((row) => data.label(row) === "positive" || data.label(row) === "negative");
  const step = Math.max(1, judged.length / WORDS_FROM);
  const found = new Map<string, [number, number]>();
  const sums: [number, number] = [0, 0];
  let texts = 0;
  for (let at = 0; at < judged.length; at += step) {
    const row = judged[Math.floor(at)]!;
    const side = data.label(row) === "positive" ? 0 : 1;
    const seen = new Set<string>();
    for (const { segment, isWordLike } of segmenter.segment(data.text(row)))
      if (isWordLike && [...segment].length > 1 && !/^[\d.]+$/.test(segment)) seen.add(segment.toLowerCase());
    for (const word of seen) {
      const counts = found.get(word) ?? [0, 0];
      counts[side] += 1;
      sums[side] += 1;
      found.set(word, counts);
    }
    if (++texts % 200 === 0) {
      await new Promise((resolve) => setTimeout(resolve));
      abort.throwIfAborted();
    }
  }
  const all = sums[0] + sums[1];
  const prior = Math.min(500, all / 4); // of few texts a large prior would leave nothing
  const words: Word[] = [];
  for (const [word, [a, b]] of found) {
    if (a + b < LEAST) continue;
    const weight = (prior * (a + b)) / all;
    const odds = (count: number, sum: number) => Math.log((count + weight) / (sum + prior - count - weight));
    const z = (odds(a, sums[0]) - odds(b, sums[1])) / Math.sqrt(1 / (a + weight) + 1 / (b + weight));
    words.push({ word, z, count: a + b });
  }
  words.sort((a, b) => b.z - a.z);
  const positive = words.filter((one) => one.z > 0).slice(0, most);
  const negative = words.filter((one) => one.z < 0).slice(-most);
  return { words: [...positive, ...negative], texts };
}
