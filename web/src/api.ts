// Calls to the service. Every URL is relative to the page's base, so that any path prefix works.
import { computed, signal } from "@preact/signals";
import type { BatchRequest, BatchResponse, ErrorResponse, Info } from "../../client/typescript/index.d.ts";
import { t } from "./i18n.ts";
import { type Answer, type Problem, toAnswer } from "./sentiment.ts";
import { session } from "./storage.ts";

const KEY = "sentiment.api-key";

export class ServiceError extends Error {
  readonly code: string;
  readonly status: number;
  /** Seconds that the service asks to wait. */
  readonly retryAfter: number;

  constructor(code: string, message: string, status = 0, retryAfter = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** True when the same request may well be answered a little later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export interface KeyWanted {
  /** Called with the key, or with nothing when the person gives up. */
  answer: (key?: string) => void;
  /** The service knows the one before not. */
  refused: boolean;
}

/** Set while the page asks for a key. */
export const keyWanted = signal<KeyWanted | null>(null);
let asking: Promise<string | undefined> | undefined;

function askForKey(refused: boolean): Promise<string | undefined> {
  asking ??= new Promise<string | undefined>((answer) => {
    keyWanted.value = { answer, refused };
  }).finally(() => {
    asking = undefined;
    keyWanted.value = null;
  });
  return asking;
}

/** True when the person gave a key: then programs need one as well. */
export const hasKey = (): boolean => session.getItem(KEY) !== null;

/** `ask`: for a key, when the service wants one. */
export async function call(path: string, init: RequestInit = {}, ask = true): Promise<Response> {
  for (;;) {
    const key = session.getItem(KEY);
    const headers = new Headers(init.headers);
    if (key) headers.set("Authorization", `Bearer ${key}`);
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ServiceError("offline", t("offline"));
    }
    if (response.status === 401) {
      // Another call may have got a new key meanwhile.
      if (session.getItem(KEY) === key) {
        const given = ask ? await askForKey(key !== null) : undefined;
        if (given === undefined) throw new ServiceError("unauthorized", t("keyMissing"), 401);
        session.setItem(KEY, given);
      }
      continue;
    }
    if (!response.ok) throw await toError(response);
    return response;
  }
}

async function toError(response: Response): Promise<ServiceError> {
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  try {
    const { error } = (await response.json()) as ErrorResponse;
    return new ServiceError(error.code, error.message, response.status, retryAfter);
  } catch {
    return new ServiceError("http_error", `HTTP ${response.status}`, response.status, retryAfter);
  }
}

/** Answers in the order of the texts; few texts pass before the rows of files. */
export async function analyze(texts: string[], abort: AbortSignal): Promise<(Answer | Problem)[]> {
  const response = await call("api/v1/sentiment/analyze/batch", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ texts, return_details: true, model: choice.value?.name } satisfies BatchRequest),
    signal: abort,
  });
  const { data } = (await response.json()) as BatchResponse;
  return data.map(toAnswer);
}

export const info = signal<Info | null>(null);

/** What the person chose of several models; empty: the default one. */
export const chosen = signal("");
/** The one of several models that is asked; undefined where one serves alone. */
export const choice = computed(() => {
  const models = info.value?.models ?? [];
  return models.find(({ name }) => name === chosen.value) ?? models.find((model) => model.default);
});
/** The package of the model that is asked, once it is known. */
export const model = computed(() => (choice.value ? choice.value.model : info.value?.model));

export async function loadInfo(ask = true): Promise<void> {
  info.value = (await (await call("api/v1/info", {}, ask)).json()) as Info;
}
