// The API's documentation from the service's own openapi.json; no outside file is loaded.
import { storedTheme } from "./theme.ts";

interface Operation {
  summary?: string;
  description?: string;
  requestBody?: { content?: Content };
  responses: Record<string, { description: string; content?: Content }>;
}
type Content = Record<string, { schema?: unknown }>;
interface Spec {
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
}

const state = document.getElementById("state")!;
storedTheme();

function el(tag: string, text: string, ...children: Node[]): HTMLElement {
  const node = document.createElement(tag);
  node.append(text, ...children);
  return node;
}

/** Replaces references by what they name, so that each schema reads on its own. */
function resolve(spec: Spec, value: unknown, depth = 0): unknown {
  if (depth > 12 || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((one) => resolve(spec, one, depth + 1));
  const { $ref } = value as { $ref?: string };
  if ($ref) {
    const target = $ref.slice(2).split("/").reduce<any>((at, key) => at[key], spec);
    return resolve(spec, target, depth + 1);
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolve(spec, one, depth + 1)]));
}

function schemas(spec: Spec, title: string, content?: Content): Node[] {
  const schema = Object.values(content ?? {})[0]?.schema;
  if (!schema || !Object.keys(schema).length) return [];
  const pre = el("pre", JSON.stringify(resolve(spec, schema), null, 2));
  pre.tabIndex = 0;
  return [el("h2", title), pre];
}

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const spec = (await answer.json()) as Spec;
  state.textContent = `${spec.info.title} ${spec.info.version}`;
  for (const [path, methods] of Object.entries(spec.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const summary = el("summary", "", el("b", method.toUpperCase()), el("span", ` ${path}`));
      const parts = [summary, el("p", operation.description ?? operation.summary ?? "")];
      parts.push(...(schemas(spec, "Request", operation.requestBody?.content) as HTMLElement[]));
      for (const [status, response] of Object.entries(operation.responses))
        parts.push(...(schemas(spec, `${status} ${response.description}`, response.content) as HTMLElement[]));
      document.getElementById("operations")!.append(el("details", "", ...parts));
    }
} catch (error) {
  state.textContent = `Cannot read openapi.json: ${error}`;
}
