// A file of texts: choose, look, analyse, see, export.
import { useEffect, useRef, useState } from "preact/hooks";
import { dateTime, number, percent, t } from "../i18n.ts";
import { discard, loadOffers, type Offer, offers } from "./kept.ts";
import { PreviewStep } from "./preview.tsx";
import { refused } from "./reading.ts";
import { ResultsStep } from "./results.tsx";
import { continueFile, leave, openFile, step } from "./session.ts";
import { MAX_ROWS } from "./types.ts";

export function Batch() {
  const now = step.value;
  const title = useRef<HTMLHeadingElement>(null);
  const before = useRef(now.name);
  // The button that led here is gone, and the keyboard's place with it.
  useEffect(() => {
    if (before.current !== now.name && document.activeElement === document.body) title.current!.focus();
    before.current = now.name;
  }, [now.name]);
  return (
    <section aria-labelledby="batch-title">
      <div class="row">
        <h1 id="batch-title" tabIndex={-1} ref={title}>
          {t("batchTitle")}
        </h1>
        <span class="spring" />
        {now.name !== "choose" && (
          <button
            type="button"
            onClick={() => {
              if (now.name !== "results" || confirm(t("otherFileSure"))) leave();
            }}
          >
            {t("otherFile")}
          </button>
        )}
      </div>
      {now.name === "choose" && <Choose />}
      {now.name === "preview" && <PreviewStep reading={now.reading} />}
      {now.name === "loading" && (
        <p class="empty" role="status">
          {t("readingFile", { share: percent(now.reading.share.value, 0) })}
        </p>
      )}
      {now.name === "results" && <ResultsStep results={now.results} />}
    </section>
  );
}

function Choose() {
  const [over, setOver] = useState(false);
  const why = refused.value;
  useEffect(() => void loadOffers(), []);
  return (
    <>
      {why && (
        <p class="alert" role="alert">
          {t("refused", { file: why.file })} {t(why.why, { rows: number(MAX_ROWS) })} {why.detail}
        </p>
      )}
      <div
        class={over ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          const file = event.dataTransfer?.files[0];
          if (file) openFile(file);
        }}
      >
        <p class="drop-title">{t("dropHere")}</p>
        <p>
          <label class="button primary" for="file">
            {t("chooseFile")}
          </label>
          <input
            id="file"
            type="file"
            class="off-screen"
            accept=".csv,.tsv,.txt,.xlsx,.xlsm,.jsonl,.ndjson,text/csv,text/plain"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              if (file) openFile(file);
            }}
          />
        </p>
        <p class="hint">{t("dropHint", { rows: number(MAX_ROWS) })}</p>
      </div>
      {offers.value.length > 0 && (
        <section aria-labelledby="kept-title">
          <h2 id="kept-title">{t("keptTitle")}</h2>
          <ul class="entries">
            {offers.value.map((offer) => (
              <KeptFile key={offer.kept.id} offer={offer} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function KeptFile({ offer: { kept, done } }: { offer: Offer }) {
  const name = kept.file.name;
  return (
    <li class="card entry">
      <strong class="entry-text">{name}</strong>
      <span class="number">{t("shownOf", { n: number(done), all: number(kept.rows) })}</span>
      <time class="hint" dateTime={new Date(kept.begun).toISOString()}>
        {dateTime(kept.begun)}
      </time>
      <button
        type="button"
        class="primary"
        aria-label={`${t(done < kept.rows ? "resume" : "again")}: ${name}`}
        onClick={() => void continueFile(kept)}
      >
        {t(done < kept.rows ? "resume" : "again")}
      </button>
      <button type="button" class="quiet" aria-label={`${t("delete")}: ${name}`} onClick={() => void discard(kept)}>
        {t("delete")}
      </button>
    </li>
  );
}
