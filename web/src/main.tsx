// The page: navigation, language, theme, and the view that the address names.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { choice, chosen, info, keyWanted, loadInfo } from "./api.ts";
import { Batch } from "./batch/batch.tsx";
import { openFile, step } from "./batch/session.ts";
import { History } from "./history.tsx";
import { language, setLanguage, t } from "./i18n.ts";
import { Live } from "./live.tsx";
import { go, view, type View, VIEWS } from "./route.ts";
import { Status } from "./status.tsx";
import { storedTheme, storeTheme, type Theme } from "./theme.ts";

const SHOWN: Record<View, () => preact.JSX.Element> = { live: Live, batch: Batch, history: History, status: Status };

function App() {
  const Shown = SHOWN[view.value];
  const main = useRef<HTMLElement>(null);
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
  document.title = `${t(view.value)} · ${t("title")}`;
  return (
    <>
      <header>
        <a
          class="skip"
          href="#main"
          onClick={(event) => {
            event.preventDefault();
            main.current?.focus();
          }}
        >
          {t("skip")}
        </a>
        <span class="brand">
          <span class="logo" aria-hidden="true" /> {t("title")}
        </span>
        <nav aria-label={t("views")}>
          {VIEWS.map((name) => (
            <a
              key={name}
              href={`#${name}`}
              aria-current={view.value === name ? "page" : undefined}
              onClick={(event) => {
                // Not by the link itself: it is relative to the base, which may differ from the address.
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                location.hash = name;
              }}
            >
              {t(name)}
            </a>
          ))}
        </nav>
        <Preferences />
      </header>
      <main id="main" class="page" tabIndex={-1} ref={main}>
        <Shown />
      </main>
      <KeyDialog />
    </>
  );
}

function Preferences() {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const models = info.value?.models ?? [];
  return (
    <div class="preferences">
      {models.length > 1 && (
        <select
          aria-label={t("model")}
          value={choice.value?.name}
          onChange={(event) => (chosen.value = event.currentTarget.value)}
        >
          {models.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
      <select
        aria-label={t("theme")}
        value={theme}
        onChange={(event) => {
          const chosen = event.currentTarget.value as Theme;
          storeTheme(chosen);
          setTheme(chosen);
          dispatchEvent(new Event("themechange"));
        }}
      >
        <option value="auto">{t("themeAuto")}</option>
        <option value="light">{t("themeLight")}</option>
        <option value="dark">{t("themeDark")}</option>
      </select>
      <button
        type="button"
        lang={language.value === "zh" ? "en" : "zh-CN"}
        onClick={() => setLanguage(language.value === "zh" ? "en" : "zh")}
      >
        {language.value === "zh" ? "English" : "中文"}
      </button>
    </div>
  );
}

/** What a header can carry. */
const SENDABLE = /^[\x21-\x7e]+$/;

/** Asks for the API key when the service wants one. */
function KeyDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [key, setKey] = useState("");
  const [wrong, setWrong] = useState(false);
  const wanted = keyWanted.value;
  useEffect(() => {
    setWrong(wanted?.refused ?? false);
    if (wanted) dialog.current?.showModal();
  }, [wanted]);
  if (!wanted) return null;
  const { answer } = wanted;
  return (
    <dialog ref={dialog} aria-labelledby="key-title" onCancel={() => answer()}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          const given = key.trim();
          if (SENDABLE.test(given)) answer(given);
          else setWrong(given !== "");
          setKey("");
        }}
      >
        <h2 id="key-title">{t("keyTitle")}</h2>
        <p class="hint">{t("keyHint")}</p>
        {wrong && (
          <p class="alert" role="alert">
            {t("keyWrong")}
          </p>
        )}
        <label for="api-key">{t("key")}</label>
        <input
          id="api-key"
          type="password"
          autocomplete="off"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
        <div class="row">
          <button type="button" onClick={() => answer()}>
            {t("cancel")}
          </button>
          <button type="submit" class="primary">
            {t("use")}
          </button>
        </div>
      </form>
    </dialog>
  );
}

// A file that misses its place would be opened in place of the page.
for (const type of ["dragover", "drop"] as const)
  addEventListener(type, (event) => {
    const file = event.dataTransfer?.files[0];
    if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (!file || step.value.name !== "choose") return;
    openFile(file);
    go("batch");
  });

storedTheme();
// Each view says by itself what does not answer; Status asks for a key by itself, and once is enough.
void loadInfo(view.value !== "status").catch(() => undefined);
render(<App />, document.getElementById("app")!);
