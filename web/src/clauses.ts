// Cuts a text into clauses, each kept with its punctuation, so that joined they are the text again.
const MARKS = "。！？!?；;，,…\n";
const SHORTEST = 2; // letters; anything shorter goes with the clause before it

export function clauses(text: string, most = 60): string[] {
  const parts = text.match(new RegExp(`[^${MARKS}]*[${MARKS}]+|[^${MARKS}]+$`, "gu")) ?? [];
  const found: string[] = [];
  for (const part of parts) {
    const letters = part.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
    if (found.length && (letters < SHORTEST || found.length === most)) found[found.length - 1] += part;
    else found.push(part);
  }
  return found;
}
