// Every word of the page, in Chinese and English.
import { signal } from "@preact/signals";
import { lasting } from "./storage.ts";
import { WORDS } from "./words.ts";

export type Language = "zh" | "en";
export type Word = keyof typeof WORDS;
const KEY = "sentiment.language";

function initial(): Language {
  const stored = lasting.getItem(KEY);
  if (stored === "zh" || stored === "en") return stored;
  // The first language of the browser's list that the page speaks.
  for (const tag of navigator.languages) {
    if (tag.startsWith("zh")) return "zh";
    if (tag.startsWith("en")) return "en";
  }
  return "en";
}

export const language = signal<Language>(initial());

export function setLanguage(to: Language): void {
  lasting.setItem(KEY, to);
  language.value = to;
}

/** The word in the page's language; `{name}` in it is replaced by `values.name`. */
export function t(word: Word, values: Record<string, string | number> = {}): string {
  const text: string = WORDS[word][language.value === "zh" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

export const locale = (): string => (language.value === "zh" ? "zh-CN" : "en-GB");
export const number = (value: number): string => value.toLocaleString(locale());
export const percent = (share: number, digits = 1): string =>
  share.toLocaleString(locale(), { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
export const dateTime = (value: number | string): string =>
  new Date(value).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
