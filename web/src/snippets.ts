// The same request as a command and as a program, to copy. A key is named, never copied: what is copied is passed on.
const PATH = "api/v1/sentiment/analyze";
/** The environment variable that holds the key. */
export const KEY_VARIABLE = "API_KEY";

/** `model`: one of several; without it the default one. */
export function curl(base: string, text: string, keyed: boolean, model?: string): string {
  const body = JSON.stringify({ text, model }).replaceAll("'", "'\\''");
  const lines = [`curl -sS '${base}${PATH}'`, "-H 'Content-Type: application/json'", `-d '${body}'`];
  if (keyed) lines.splice(1, 0, `-H "Authorization: Bearer $${KEY_VARIABLE}"`);
  return lines.join(" \\\n  ");
}

export function python(base: string, text: string, keyed: boolean, model?: string): string {
  // A JSON string is a Python string, once characters above the basic plane are no surrogate pairs.
  const key = keyed ? `, "Authorization": "Bearer " + os.environ["${KEY_VARIABLE}"]` : "";
  return [
    `import json, ${keyed ? "os, " : ""}urllib.request`,
    "",
    `headers = {"Content-Type": "application/json"${key}}`,
    `body = json.dumps(${JSON.stringify({ text, model })}).encode()`,
    `request = urllib.request.Request(${JSON.stringify(base + PATH)}, body, headers)`,
    "with urllib.request.urlopen(request) as answer:",
    '    print(json.load(answer)["data"])',
  ].join("\n");
}
