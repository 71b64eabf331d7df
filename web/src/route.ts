// Which view is shown: the part of the address after #, so that any path prefix works.
import { signal } from "@preact/signals";

export const VIEWS = ["live", "batch", "history", "status"] as const;
export type View = (typeof VIEWS)[number];

function read(): View {
  const name = location.hash.slice(1);
  return VIEWS.find((view) => view === name) ?? "live";
}

export const view = signal<View>(read());
addEventListener("hashchange", () => (view.value = read()));

export function go(to: View): void {
  location.hash = to;
}
