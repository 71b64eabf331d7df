// Delimited text, pushed in piece by piece; bounded in memory whatever the file holds.
import type { Trouble } from "./types.ts";

/** Characters of one record; far above any review, far below what a browser can't hold. */
export const MAX_RECORD = 1 << 20;

interface Sink {
  row(cells: string[], line: number): void;
  trouble(trouble: Trouble): void;
}

/**
 * RFC 4180 with what files in the wild do: any line end, quotes inside bare cells, text after a closing quote.
 * A quote that is never closed would swallow the rest of the file, so its lines are read again as they are.
 * An empty delimiter makes each line one cell, quotes included.
 */
export class CsvReader {
  #delimiter: string;
  #sink: Sink;
  #max: number;
  #rest = "";
  #line = 1;
  #skipping = false;

  constructor(delimiter: string, sink: Sink, max = MAX_RECORD) {
    this.#delimiter = delimiter;
    this.#sink = sink;
    this.#max = max;
  }

  push(text: string): void {
    this.#rest += text;
    this.#consume(false);
  }

  end(): void {
    this.#consume(true);
  }

  #consume(last: boolean): void {
    const text = this.#rest;
    let from = 0;
    while (from < text.length) {
      if (this.#skipping) {
        const end = lineEnd(text, from);
        if (end < 0) {
          from = text.length;
          break;
        }
        this.#skipping = false;
        this.#line += 1;
        from = end;
        continue;
      }
      const record = this.#record(text, from, last);
      if (record === undefined) {
        if (text.length - from <= this.#max) break;
        this.#giveUp(text, from);
        from = this.#resume;
        continue;
      }
      from = record;
    }
    this.#rest = text.slice(from);
  }

  #resume = 0;

  /** What is too long for one record: an open quote is read as bare lines, a line without end is skipped. */
  #giveUp(text: string, from: number): void {
    const end = lineEnd(text, from);
    if (end < 0) {
      this.#sink.trouble({ line: this.#line, code: "lineTooLong" });
      this.#skipping = true;
      this.#resume = text.length;
      return;
    }
    this.#sink.trouble({ line: this.#line, code: "openQuote" });
    this.#resume = this.#bare(text, from, end);
  }

  /** Reads one record from `from` on; undefined when its end is not there yet. */
  #record(text: string, from: number, last: boolean): number | undefined {
    const { length } = text;
    const cells: string[] = [];
    let at = from;
    let lines = 0;
    for (;;) {
      let cell = "";
      if (this.#delimiter && text[at] === '"') {
        let open = at + 1;
        for (;;) {
          const quote = text.indexOf('"', open);
          if (quote < 0) {
            if (!last) return undefined;
            this.#sink.trouble({ line: this.#line, code: "openQuote" });
            return this.#bare(text, from, lineEnd(text, from));
          }
          if (quote + 1 >= length && !last) return undefined;
          cell += text.slice(open, quote);
          if (text[quote + 1] !== '"') {
            at = quote + 1;
            break;
          }
          cell += '"';
          open = quote + 2;
        }
        lines += countLines(cell);
      }
      const begin = at;
      while (at < length && text[at] !== this.#delimiter && text[at] !== "\n" && text[at] !== "\r") at++;
      // "\r" at the very end may be half of "\r\n".
      if (at >= length - (text[at] === "\r" ? 1 : 0) && !last) return undefined;
      cells.push(cell + text.slice(begin, at));
      if (at < length && text[at] === this.#delimiter) {
        at++;
        continue;
      }
      this.#emit(cells, at - from);
      this.#line += lines;
      if (at >= length) return length;
      this.#line += 1;
      return at + (text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1);
    }
  }

  #bare(text: string, from: number, end: number): number {
    const until = end < 0 ? text.length : end;
    const line = text.slice(from, until).replace(/\r?\n$|\r$/, "");
    this.#emit(this.#delimiter ? line.split(this.#delimiter) : [line], line.length);
    this.#line += 1;
    return until;
  }

  #emit(cells: string[], length: number): void {
    if (length > this.#max) this.#sink.trouble({ line: this.#line, code: "lineTooLong" });
    else this.#sink.row(cells, this.#line);
  }
}

/** The index after the next line end; -1 without one. */
function lineEnd(text: string, from: number): number {
  const feed = text.indexOf("\n", from);
  const back = text.indexOf("\r", from);
  if (back >= 0 && (feed < 0 || back < feed)) return back + (text[back + 1] === "\n" ? 2 : 1);
  return feed < 0 ? -1 : feed + 1;
}

function countLines(text: string): number {
  return text.match(/\r\n|[\r\n]/g)?.length ?? 0;
}
