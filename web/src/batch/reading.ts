// The page's side of the reading worker.
import { signal } from "@preact/signals";
import type { Format, FromReader, Preview, Refusal, ToReader, Trouble } from "./types.ts";

declare const PARSE_WORKER: string;

export interface Refused {
  file: string;
  why: Refusal;
  detail: string;
}

export interface Loaded {
  rows: string[][];
  keys: string[];
  troubles: Trouble[];
  troubleCount: number;
  emptyRows: number;
}

export const refused = signal<Refused | null>(null);

export class Reading {
  readonly file: File;
  readonly preview = signal<Preview | null>(null);
  readonly share = signal(0);
  #worker: Worker;
  #rows: string[][] = [];
  #loaded: ((loaded: Loaded) => void) | undefined;

  /** Opens the file for a preview, unless its format is known. */
  constructor(file: File, format?: Format) {
    this.file = file;
    refused.value = null;
    this.#worker = new Worker(new URL(`./${PARSE_WORKER}`, import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromReader>) => this.#hear(data);
    // Out of memory, for one: the page lives on.
    this.#worker.onerror = ({ message }) => (message ? this.#refuse("unreadable", message) : this.#refuse("readerLost", ""));
    if (!format) this.#say({ type: "open", file });
  }

  reopen(format: Format): void {
    this.#say({ type: "open", file: this.file, format });
  }

  load(format: Format): Promise<Loaded> {
    return new Promise((resolve) => {
      this.#loaded = resolve;
      this.#say({ type: "load", file: this.file, format });
    });
  }

  close(): void {
    this.#worker.terminate();
  }

  #say(message: ToReader): void {
    this.#worker.postMessage(message);
  }

  #refuse(why: Refusal, detail: string): void {
    this.close();
    refused.value = { file: this.file.name, why, detail };
  }

  #hear(message: FromReader): void {
    switch (message.type) {
      case "preview":
        this.preview.value = message.preview;
        break;
      case "rows":
        for (const row of message.rows) this.#rows.push(row);
        this.share.value = message.read;
        break;
      case "end":
        this.close();
        this.#loaded?.({ ...message, rows: this.#rows });
        break;
      case "refused":
        this.#refuse(message.why, message.detail);
    }
  }
}
