// Sends a file's texts to the service and takes the answers as they come.
//
// No browser streams a request body over HTTP/1.1, so the rows go in pieces, each a streamed request of its own;
// two are on their way at any time. What was answered stays answered: after a lost connection only the rest
// of a piece is sent again. The same text is asked once, however many rows hold it.
import { signal } from "@preact/signals";
import { call, ServiceError } from "../api.ts";
import { t } from "../i18n.ts";
import { type Answer, type Problem, toAnswer, type WireAnswer } from "../sentiment.ts";
import type { TableData } from "./table-data.ts";

const PIECE_ROWS = 500;
const PIECE_CHARACTERS = 64 << 10;
const LANES = 2;
const LONGEST_WAIT_S = 15;
const RATE_WINDOW_MS = 8000;

export type Phase = "running" | "waiting" | "stopped" | "failed" | "done";

export interface Progress {
  phase: Phase;
  done: number;
  total: number;
  /** Rows per second; 0 while not known. */
  rate: number;
  message: string;
}

export class Run {
  /** One of several; without it the default one. */
  readonly model: string | undefined;
  readonly progress = signal<Progress>({ phase: "stopped", done: 0, total: 0, rate: 0, message: "" });
  #data: TableData;
  #queue: number[] = [];
  /** The next row with the same text; 0: none. */
  #next: Uint32Array;
  #abort = new AbortController();
  #marks: { at: number; done: number }[] = [];
  #wake: (() => void) | undefined;

  constructor(data: TableData, model?: string) {
    this.#data = data;
    this.model = model;
    this.#next = new Uint32Array(data.length);
    const last = new Map<string, number>();
    for (let row = 0; row < data.length; row++) {
      if (!data.isPending(row)) continue; // answered before a reload, with all that hold the same text
      const text = data.text(row);
      const before = last.get(text);
      if (before === undefined) this.#queue.push(row);
      else this.#next[before] = row;
      last.set(text, row);
    }
    this.#queue.reverse(); // taken from the end
  }

  async start(): Promise<void> {
    this.#abort = new AbortController();
    this.#marks = [];
    this.#tell("running");
    const ticking = setInterval(() => {
      if (this.progress.value.phase === "running") this.#tell("running");
    }, 250);
    try {
      await Promise.all(Array.from({ length: LANES }, () => this.#lane()));
      this.#tell("done");
    } catch (error) {
      const stopped = this.#abort.signal.aborted && this.progress.value.phase === "stopped";
      this.#abort.abort();
      if (!stopped) this.#tell("failed", error instanceof Error ? error.message : String(error));
    } finally {
      clearInterval(ticking);
    }
  }

  stop(): void {
    this.#tell("stopped");
    this.#abort.abort();
    this.#wake?.();
  }

  /** End a wait for the connection. */
  retryNow(): void {
    this.#wake?.();
  }

  async #lane(): Promise<void> {
    let wait = 1;
    while (this.#queue.length) {
      const piece = this.#takePiece();
      const open = new Set(piece);
      try {
        await this.#send(piece, open);
        wait = 1;
      } catch (error) {
        if (this.#abort.signal.aborted) throw error;
        // A connection that breaks in the middle of an answer is no ServiceError, but passes as well.
        if (error instanceof ServiceError && !error.passing) throw error;
        const seconds = Math.max(error instanceof ServiceError ? error.retryAfter : 0, wait);
        wait = open.size < piece.length ? 1 : Math.min(wait * 2, LONGEST_WAIT_S);
        await this.#pause(seconds, error instanceof ServiceError ? error.message : t("offline"));
      } finally {
        // Also when stopped: what has no answer waits for the next start.
        this.#queue.push(...[...open].reverse());
      }
    }
  }

  #takePiece(): number[] {
    const piece: number[] = [];
    let characters = 0;
    while (this.#queue.length && piece.length < PIECE_ROWS && characters < PIECE_CHARACTERS) {
      const row = this.#queue.pop()!;
      piece.push(row);
      characters += this.#data.text(row).length;
    }
    return piece;
  }

  async #send(piece: number[], open: Set<number>): Promise<void> {
    const body = piece.map((row) => `${JSON.stringify({ id: row, text: this.#data.text(row).toWellFormed() })}\n`).join("");
    const query = this.model === undefined ? "" : `?model=${encodeURIComponent(this.model)}`;
    const response = await call(`api/v1/sentiment/analyze/stream${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/x-ndjson" },
      body,
      signal: this.#abort.signal,
    });
    for await (const line of lines(response.body!)) {
      const answer = JSON.parse(line) as WireAnswer & { id?: number; summary?: unknown };
      if (answer.summary) continue;
      if (answer.id === undefined) {
        const { code, message } = answer.error!;
        throw new ServiceError(code, message, 503);
      }
      this.#set(answer.id, toAnswer(answer));
      open.delete(answer.id);
    }
    if (open.size) throw new ServiceError("cut", t("offline"));
  }

  #set(row: number, answer: Answer | Problem): void {
    for (let at = row; ; at = this.#next[at]!) {
      this.#data.set(at, answer);
      if (!this.#next[at]) return;
    }
  }

  async #pause(seconds: number, why: string): Promise<void> {
    this.#tell("waiting", t("waiting", { why, seconds }));
    await new Promise<void>((resolve) => {
      const before = this.#wake;
      const timer = setTimeout(resolve, seconds * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        before?.();
        resolve();
      };
    });
    this.#wake = undefined;
    this.#abort.signal.throwIfAborted();
    this.#marks = [];
    this.#tell("running");
  }

  #tell(phase: Phase, message = ""): void {
    const { done, length: total } = this.#data;
    const now = performance.now();
    this.#marks.push({ at: now, done });
    while (now - this.#marks[0]!.at > RATE_WINDOW_MS) this.#marks.shift();
    const first = this.#marks[0]!;
    const rate = now - first.at > 400 ? ((done - first.done) * 1000) / (now - first.at) : 0;
    this.progress.value = { phase, done, total, rate, message };
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const parts = rest.split("\n");
    rest = parts.pop()!;
    for (const part of parts) if (part) yield part;
    if (done) return;
  }
}
