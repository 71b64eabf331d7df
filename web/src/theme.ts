// Light, dark, or as the system says.
import { lasting } from "./storage.ts";

export type Theme = "auto" | "light" | "dark";
const KEY = "sentiment.theme";

export function storedTheme(): Theme {
  const stored = lasting.getItem(KEY);
  const theme = stored === "light" || stored === "dark" ? stored : "auto";
  document.documentElement.dataset.theme = theme;
  return theme;
}

export function storeTheme(theme: Theme): void {
  lasting.setItem(KEY, theme);
  document.documentElement.dataset.theme = theme;
}

export function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}
