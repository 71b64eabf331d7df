// Unfinished files in this browser's own database, so that a reload or a closed tab loses no answer.
//
// The file itself is kept, and how it was read: reading it again gives the same rows. The answers are a few
// arrays, written anew about once a second while they change.
import { signal } from "@preact/signals";
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { Answers, TableData } from "./table-data.ts";
import type { Settings } from "./types.ts";

/** The newest so many files, none larger, none older. */
export const KEPT_FILES = 3;
export const KEPT_BYTES = 256 << 20;
export const KEPT_DAYS = 7;
const PAUSE_MS = 1000;
/** Writing takes no more than this part of the time. */
const SHARE = 0.1;

export interface Kept extends Settings {
  id: string;
  file: File;
  rows: number;
  begun: number;
  /** Of several the one that answers: all rows of a file are answered by one. */
  model?: string;
}

interface Schema extends DBSchema {
  files: { key: string; value: Kept };
  answers: { key: string; value: Answers };
}

export interface Offer {
  kept: Kept;
  done: number;
}

/** What can be continued, the newest first. */
export const offers = signal<Offer[]>([]);
let database: Promise<IDBPDatabase<Schema>> | undefined;

function open(): Promise<IDBPDatabase<Schema>> {
  database ??= openDB<Schema>("sentiment-files", 1, {
    upgrade: (db) => {
      db.createObjectStore("files", { keyPath: "id" });
      db.createObjectStore("answers");
    },
  });
  return database;
}

export async function loadOffers(): Promise<void> {
  try {
    const db = await open();
    const files = (await db.getAll("files")).sort((a, b) => b.begun - a.begun);
    const oldest = Date.now() - KEPT_DAYS * 86_400_000;
    const [good, over] = [files.slice(0, KEPT_FILES), files.slice(KEPT_FILES)];
    const late = good.filter(({ begun }) => begun < oldest);
    for (const { id } of [...over, ...late]) await remove(id);
    const left = good.filter((kept) => !late.includes(kept));
    offers.value = await Promise.all(
      left.map(async (kept) => ({ kept, done: (await db.get("answers", kept.id))?.done ?? 0 })),
    );
  } catch {
    offers.value = []; // this browser keeps nothing (a private window, perhaps)
  }
}

export async function answersOf(kept: Kept): Promise<Answers | undefined> {
  return (await open()).get("answers", kept.id);
}

async function remove(id: string): Promise<void> {
  const work = (await open()).transaction(["files", "answers"], "readwrite");
  await Promise.all([work.objectStore("files").delete(id), work.objectStore("answers").delete(id), work.done]);
}

export async function discard({ id }: Kept): Promise<void> {
  await remove(id);
  await loadOffers();
}

/** Keeps one file and its answers, until it is told to forget them. */
export class Keeper {
  /** Undefined until known; false when this browser does not keep it. */
  readonly holds = signal<boolean | undefined>(undefined);
  #kept: Kept;
  #data: TableData;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(kept: Kept, data: TableData) {
    this.#kept = kept;
    this.#data = data;
    void this.#keep();
  }

  /** Write now: the run has come to an end, or to a halt. */
  hurry(): void {
    this.#wake?.();
  }

  async forget(): Promise<void> {
    this.#ended = true;
    await discard(this.#kept).catch(() => undefined);
  }

  async #keep(): Promise<void> {
    try {
      if (this.#kept.file.size > KEPT_BYTES) throw new Error("too large");
      await (await open()).put("files", this.#kept);
      await loadOffers(); // drops what is over the bound
      let written = -1;
      while (!this.#ended && written < this.#data.length) {
        const begin = performance.now();
        const { done } = this.#data;
        if (done !== written) {
          await this.#write();
          written = done;
          this.holds.value = true;
        }
        const took = performance.now() - begin;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          setTimeout(resolve, Math.max(PAUSE_MS, took / SHARE));
        });
      }
    } catch {
      this.holds.value = false;
    }
  }

  async #write(): Promise<void> {
    const work = (await open()).transaction(["files", "answers"], "readwrite");
    // Forgotten meanwhile, perhaps in another tab: then it stays so.
    if ((await work.objectStore("files").getKey(this.#kept.id)) === undefined) throw new Error("forgotten");
    await work.objectStore("answers").put(this.#data.answers(), this.#kept.id);
    await work.done;
  }
}
