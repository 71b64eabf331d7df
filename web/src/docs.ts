// The API's documentation from the service's own openapi.json, where every operation can be tried. No outside
// file is loaded, and no other origin asked.
import { storedTheme } from "./theme.ts";

interface Operation {
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string }[];
  requestBody?: { content?: Content };
  responses: Record<string, { description: string; content?: Content }>;
}
type Content = Record<string, { schema?: unknown }>;
interface Schema {
  type?: string;
  examples?: unknown[];
  default?: unknown;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
}
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

/** What a schema takes: its first example, else what it asks for of its fields. */
function example(schema: Schema): unknown {
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.type === "object") {
    const fields = Object.entries(schema.properties ?? {}).filter(([name]) => schema.required?.includes(name));
    return Object.fromEntries(fields.map(([name, field]) => [name, example(field)]));
  }
  if (schema.type === "array") return [example(schema.items ?? {})];
  return schema.type === "integer" || schema.type === "number" ? 1 : "";
}

function field(title: string, input: HTMLInputElement | HTMLTextAreaElement, value: string): HTMLElement {
  input.value = value;
  input.spellcheck = false;
  return el("label", title, input);
}

/** Fields for what an operation takes, a button that sends it, and the answer as it comes. */
function trial(spec: Spec, method: string, path: string, operation: Operation): HTMLElement {
  const places = (operation.parameters ?? []).filter((one) => one.in === "path");
  const inputs = places.map(() => document.createElement("input"));
  const fields = places.map(({ name }, at) => field(name, inputs[at]!, ""));
  const [kind, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const body = document.createElement("textarea");
  if (kind) {
    const sample = example((resolve(spec, content?.schema) ?? {}) as Schema);
    body.rows = 6;
    fields.push(field(kind, body, sample ? JSON.stringify(sample, null, kind === "application/json" ? 2 : 0) : ""));
  }
  const send = el("button", "Send") as HTMLButtonElement;
  send.type = "button";
  const told = el("pre", "");
  told.hidden = true;
  told.tabIndex = 0;
  told.setAttribute("role", "status");
  send.onclick = async () => {
    const values = inputs.map((input) => encodeURIComponent(input.value));
    const filled = places.reduce((to, { name }, at) => to.replace(`{${name}}`, values[at]!), path.slice(1));
    const headers = new Headers(kind ? { "Content-Type": kind } : {});
    if (key.value) headers.set("Authorization", `Bearer ${key.value}`);
    send.disabled = true;
    try {
      const asked = { method: method.toUpperCase(), headers, body: kind ? body.value : null };
      const answer = await fetch(filled, asked);
      const text = await answer.text();
      const json = answer.headers.get("Content-Type")?.includes("application/json");
      told.textContent = `${answer.status}\n\n${json ? JSON.stringify(JSON.parse(text), null, 2) : text}`;
    } catch (error) {
      told.textContent = String(error);
    }
    told.hidden = false;
    send.disabled = false;
  };
  return el("div", "", el("h2", "Try it"), ...fields, send, told);
}

const key = document.getElementById("key") as HTMLInputElement;
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
      parts.splice(2, 0, trial(spec, method, path, operation));
      document.getElementById("operations")!.append(el("details", "", ...parts));
    }
} catch (error) {
  state.textContent = `Cannot read openapi.json: ${error}`;
}
