// What serves here and how it is, in words.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ModelInfo } from "../../client/typescript/index.d.ts";
import { info, loadInfo, ServiceError } from "./api.ts";
import { dateTime, locale, number, percent, t } from "./i18n.ts";

const EVERY_MS = 3000;

interface Health {
  status: "healthy" | "unhealthy" | "draining";
  model_loaded: boolean;
  memory_usage_mb: number;
  total_requests: number;
  avg_response_time_ms: number;
}

interface Figures {
  health: Health | null;
  /** Values by metric name; empty where /metrics is not public. */
  metrics: Map<string, number>;
}

async function read(): Promise<Figures> {
  // 503 is an answer here: it comes with the same report.
  const health = (await (await fetch("health", { cache: "no-store" })).json()) as Health;
  const response = await fetch("metrics", { cache: "no-store" });
  return { health, metrics: parseMetrics(response.ok ? await response.text() : "") };
}

/** The samples of the Prometheus text format by name, summed over their labels. */
export function parseMetrics(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^([a-z_]+)(?:\{.*\})? ([-+.\deE]+)$/gm)) {
    sums.set(name!, (sums.get(name!) ?? 0) + Number(value));
  }
  return sums;
}

export function Status() {
  const [figures, setFigures] = useState<Figures>({ health: null, metrics: new Map() });
  const [error, setError] = useState("");
  useEffect(() => {
    let stopped = false;
    let first = true;
    const tick = async () => {
      const ask = first; // for a key when the view is opened, not again and again
      first = false;
      try {
        setFigures(await read());
        await loadInfo(ask); // each time: another version may answer meanwhile
        setError("");
      } catch (cause) {
        setError(cause instanceof ServiceError ? cause.message : t("offline"));
      }
      if (!stopped) timer = setTimeout(tick, EVERY_MS);
    };
    let timer = setTimeout(tick, 0);
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, []);

  const { health, metrics } = figures;
  const several = info.value?.models ?? [];
  return (
    <section aria-labelledby="status-title">
      <h1 id="status-title">{t("status")}</h1>
      {error && <p class="alert">{error}</p>}
      {info.value?.problem && several.length === 0 && <p class="alert">{info.value.problem}</p>}
      {health && (
        <p class={`health ${health.status}`}>
          <strong>{t(health.status)}</strong> {t(`${health.status}Why`)}{" "}
          {several.length === 0 && t(health.model_loaded ? "modelLoaded" : "modelNotLoaded")}
        </p>
      )}
      <div class="columns">
        {several.length === 0 && <ModelCard title={t("model")} model={info.value?.model} />}
        {several.map((one) => (
          <ModelCard key={one.name} title={one.name} model={one.model}>
            {one.problem && <p class="alert">{one.problem}</p>}
            <p>
              {t(`state_${one.state}`)}
              {one.default && ` · ${t("isDefault")}`}
            </p>
          </ModelCard>
        ))}
        <div class="card">
          <h2>{t("service")}</h2>
          <dl class="facts">
            <Fact name={t("uptime")} value={info.value && uptime(info.value.started_at)} />
            <Fact name={t("requests")} value={health && number(health.total_requests)} />
            <Fact name={t("averageMs")} value={health && `${number(health.avg_response_time_ms)} ms`} />
            <Fact name={t("active")} value={shown(metrics.get("structbert_active_requests"))} />
            <Fact name={t("queue")} value={shown(metrics.get("structbert_queue_length"))} />
            <Fact name={t("memory")} value={health && `${number(health.memory_usage_mb)} MiB`} />
            <Fact name={t("serviceVersion")} value={info.value?.version} />
            <Fact name={t("since")} value={info.value && dateTime(info.value.started_at)} />
          </dl>
          <p class="row">
            <a href="docs">{t("apiDocs")}</a>
            <a href="health">/health</a>
            <a href="metrics">/metrics</a>
          </p>
        </div>
      </div>
    </section>
  );
}

function ModelCard({ title, model, children }: { title: string; model?: ModelInfo | null; children?: ComponentChildren }) {
  const accuracy = Object.entries(model?.accuracy ?? {}).filter(([, value]) => typeof value === "number");
  return (
    <div class="card">
      <h2>{title}</h2>
      {children}
      <dl class="facts">
        <Fact name={t("name")} value={model?.name} />
        <Fact name={t("version")} value={model?.version} />
        <Fact name={t("engine")} value={model?.engine} />
        <Fact name={t("precision")} value={model?.precision} />
        {accuracy.map(([precision, value]) => (
          <Fact key={precision} name={t("accuracyOf", { precision })} value={percent(value as number)} />
        ))}
        <Fact
          name={t("neutral")}
          value={model && `${percent(model.neutral.low, 0)} – ${percent(model.neutral.high, 0)}`}
        />
        <Fact name={t("maxTokens")} value={model && number(model.max_tokens)} />
        <Fact name={t("digest")} value={model?.digest} />
      </dl>
    </div>
  );
}

const shown = (value: number | undefined) => (value === undefined ? null : number(value));

function Fact({ name, value }: { name: string; value: string | null | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value || "–"}</dd>
    </div>
  );
}

function uptime(since: string): string {
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 60_000));
  const unit = (value: number, name: string) =>
    value.toLocaleString(locale(), { style: "unit", unit: name, unitDisplay: "long" });
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor((minutes % 1440) / 60);
  const parts = [];
  if (days) parts.push(unit(days, "day"));
  if (hours || days) parts.push(unit(hours, "hour"));
  if (!days) parts.push(unit(minutes % 60, "minute"));
  return parts.join(" ");
}
