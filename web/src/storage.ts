// What the browser remembers for the page; where its settings forbid that, only for as long as the page lives.
type Kept = Pick<Storage, "getItem" | "setItem">;

function allowed(name: "localStorage" | "sessionStorage"): Kept {
  try {
    return window[name];
  } catch {
    const kept = new Map<string, string>();
    return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) };
  }
}

export const lasting = allowed("localStorage");
/** Until the tab is closed. */
export const session = allowed("sessionStorage");
