// The history: kept in this browser alone, the newest 500.
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { signal } from "@preact/signals";
import type { Answer } from "./sentiment.ts";

export const MOST = 500;

export interface Entry extends Answer {
  id: number;
  text: string;
  at: number;
}

interface Schema extends DBSchema {
  entries: { key: number; value: Omit<Entry, "id"> & { id?: number } };
}

/** Newest first; undefined until read, null when this browser keeps nothing (a private window). */
export const entries = signal<Entry[] | null | undefined>(undefined);
let database: Promise<IDBPDatabase<Schema>> | undefined;

function open(): Promise<IDBPDatabase<Schema>> {
  database ??= openDB<Schema>("sentiment", 1, {
    upgrade: (db) => void db.createObjectStore("entries", { keyPath: "id", autoIncrement: true }),
  });
  return database;
}

async function refresh(): Promise<void> {
  entries.value = ((await (await open()).getAll("entries")) as Entry[]).reverse();
}

export async function loadEntries(): Promise<void> {
  try {
    await refresh();
  } catch {
    entries.value = null;
  }
}

export async function remember(text: string, answer: Answer): Promise<void> {
  if (entries.value === undefined) await loadEntries();
  const known = entries.value;
  if (!known) return;
  const store = (await open()).transaction("entries", "readwrite").store;
  // The same text again moves to the top.
  const same = known.find((entry) => entry.text === text);
  if (same) await store.delete(same.id);
  await store.add({ text, at: Date.now(), ...answer });
  const keys = await store.getAllKeys();
  for (const key of keys.slice(0, Math.max(0, keys.length - MOST))) await store.delete(key);
  await refresh();
}

export async function forget(ids: number[] | "all"): Promise<void> {
  const store = (await open()).transaction("entries", "readwrite").store;
  if (ids === "all") await store.clear();
  else for (const id of ids) await store.delete(id);
  await refresh();
}
