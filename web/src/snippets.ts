// The same request as a command and as a program, to copy.
const PATH = "api/v1/sentiment/analyze";

export function curl(base: string, text: string): string {
  const body = JSON.stringify({ text }).replaceAll("'", "'\\''");
  return `curl -sS '${base}${PATH}' \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

export function python(base: string, text: string): string {
  // A JSON string is a Python string, once characters above the basic plane are no surrogate pairs.
  return [
    "import json, urllib.request",
    "",
    `body = json.dumps({"text": ${JSON.stringify(text)}}).encode()`,
    `request = urllib.request.Request(${JSON.stringify(base + PATH)}, body, {"Content-Type": "application/json"})`,
    "with urllib.request.urlopen(request) as answer:",
    '    print(json.load(answer)["data"])',
  ].join("\n");
}
