// A file's rows and what is known of each: kept in plain arrays, so that 100,000 rows stay small and quick.
import { type Answer, type Label, LABELS, type Problem } from "../sentiment.ts";

const PENDING = 0;
const FAILED = 4;

/** All that is known of the rows, as it can be stored. */
export interface Answers {
  done: number;
  state: Uint8Array;
  positive: Float32Array;
  confidence: Float32Array;
  truncated: Uint8Array;
  problems: Map<number, Problem>;
}

export class TableData {
  readonly name: string;
  readonly columns: string[];
  readonly rows: string[][];
  readonly textColumn: number;
  readonly problems: Map<number, Problem>;
  #state: Uint8Array;
  #positive: Float32Array;
  #confidence: Float32Array;
  #truncated: Uint8Array;
  done: number;

  constructor(name: string, columns: string[], rows: string[][], textColumn: number, before?: Answers) {
    this.name = name;
    this.columns = columns;
    this.rows = rows;
    this.textColumn = textColumn;
    const { length } = rows;
    const known = before?.state.length === length ? before : undefined;
    this.done = known?.done ?? 0;
    this.problems = known?.problems ?? new Map();
    this.#state = known?.state ?? new Uint8Array(length);
    this.#positive = known?.positive ?? new Float32Array(length);
    this.#confidence = known?.confidence ?? new Float32Array(length);
    this.#truncated = known?.truncated ?? new Uint8Array(length);
  }

  answers(): Answers {
    return {
      done: this.done,
      state: this.#state,
      positive: this.#positive,
      confidence: this.#confidence,
      truncated: this.#truncated,
      problems: this.problems,
    };
  }

  get length(): number {
    return this.rows.length;
  }

  text(row: number): string {
    return this.rows[row]![this.textColumn] ?? "";
  }

  set(row: number, answer: Answer | Problem): void {
    if (this.#state[row] === PENDING) this.done += 1;
    if ("code" in answer) {
      this.#state[row] = FAILED;
      this.problems.set(row, answer);
      return;
    }
    this.#state[row] = 1 + LABELS.indexOf(answer.label);
    this.#positive[row] = answer.positive;
    this.#confidence[row] = answer.confidence;
    this.#truncated[row] = answer.truncated ? 1 : 0;
  }

  isPending = (row: number): boolean => this.#state[row] === PENDING;
  label = (row: number): Label | undefined => LABELS[this.#state[row]! - 1];
  positive = (row: number): number => this.#positive[row]!;
  confidence = (row: number): number => this.#confidence[row]!;
  truncated = (row: number): boolean => this.#truncated[row] === 1;
}

export interface Filter {
  label: Label | "error" | "";
  search: string;
}

export type Sort = "file" | "positive" | "negative" | "unsure";

/** The rows that the filter lets through, in the wanted order. */
export function select(data: TableData, filter: Filter, sort: Sort): Uint32Array {
  const wanted = filter.search.trim().toLowerCase();
  const found: number[] = [];
  for (let row = 0; row < data.length; row++) {
    if (filter.label === "error" ? !data.problems.has(row) : filter.label && data.label(row) !== filter.label) continue;
    if (wanted && !data.rows[row]!.some((cell) => cell.toLowerCase().includes(wanted))) continue;
    found.push(row);
  }
  if (sort !== "file") {
    const key = (row: number) => {
      if (!data.label(row)) return Infinity;
      const positive = data.positive(row);
      return sort === "positive" ? -positive : sort === "negative" ? positive : Math.abs(positive - 0.5);
    };
    found.sort((a, b) => key(a) - key(b) || a - b);
  }
  return Uint32Array.from(found);
}
