/** `draw` shows a dashboard, each panel in the place that its gridPos says. */
import { createTheme, dateTime, rangeUtil, ThemeContext, type TimeRange } from "@grafana/data";
import { GlobalStyles, PanelChrome } from "@grafana/ui";
import { Component, type CSSProperties, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import type { Dashboard, Panel } from "./model.ts";
import { type Inside, prepared, type Surroundings } from "./panels.tsx";

declare global {
  interface Window {
    draw(dashboard: Dashboard, variables: Record<string, string>): Promise<void>;
  }
}

// Grafana's own grid, in pixels.
const [COLUMNS, ROW, GAP, MARGIN] = [24, 30, 8, 16];

window.draw = async (dashboard, variables) => {
  const theme = createTheme({ colors: { mode: "dark" } });
  const range = rangeUtil.convertRawToRange(dashboard.time);
  const around: Surroundings = { range, theme, fill: (text) => filled(text, variables) };
  const insides = await Promise.all(
    dashboard.panels.map((panel) => named(panel, () => inside(panel, around))),
  );
  await new Promise<void>((done, failed) => {
    createRoot(document.getElementById("dashboard")!, { onUncaughtError: failed }).render(
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        <Mounted onMounted={done}>
          <Head dashboard={dashboard} variables={variables} range={range} />
          <Grid panels={dashboard.panels} insides={insides} />
        </Mounted>
      </ThemeContext.Provider>,
    );
  });
  await document.fonts.ready;
};

/** Variables as `$name` and `${name}`. Throws for one that nothing fills; `$1` is PromQL's. */
function filled(text: string, variables: Record<string, string>): string {
  return text.replace(/\$(?:\{([a-z]\w*)\}|([a-z]\w*))/g, (found, braced?: string, plain?: string) => {
    const value = variables[braced ?? plain ?? ""];
    if (value === undefined) throw new Error(`nothing fills ${found}`);
    return value;
  });
}

async function named<T>(panel: Panel, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`panel ${panel.title}: ${error instanceof Error ? error.message : error}`);
  }
}

async function inside(panel: Panel, around: Surroundings): Promise<Inside | null> {
  if (panel.type !== "row") return prepared(panel, around, place(panel).width);
  if (panel.collapsed || panel.panels?.length) throw new Error("a row that hides its panels");
  return null;
}

function place({ gridPos: { x, y, w, h } }: Panel) {
  const column = (window.innerWidth - 2 * MARGIN + GAP) / COLUMNS;
  const line = ROW + GAP;
  return { left: x * column, top: y * line, width: w * column - GAP, height: h * line - GAP };
}

class Mounted extends Component<{ onMounted: () => void; children: ReactNode }> {
  override componentDidMount() {
    this.props.onMounted();
  }

  override render() {
    return <div style={{ padding: MARGIN }}>{this.props.children}</div>;
  }
}

function Head(props: { dashboard: Dashboard; variables: Record<string, string>; range: TimeRange }) {
  const { dashboard, range, variables } = props;
  const chosen = dashboard.templating.list.map(({ name, label }) => `${label}: ${variables[name]}`);
  const shown: CSSProperties = { display: "flex", justifyContent: "space-between", marginBottom: GAP };
  return (
    <header style={shown}>
      <strong>{dashboard.title}</strong>
      <span>{[...chosen, rangeUtil.describeTimeRange(range.raw), dateTime(range.to).utc().format("YYYY-MM-DD HH:mm [UTC]")].join(" · ")}</span>
    </header>
  );
}

function Grid({ panels, insides }: { panels: Panel[]; insides: (Inside | null)[] }) {
  const bottom = Math.max(...panels.map((panel) => place(panel).top + place(panel).height));
  return (
    <div style={{ position: "relative", height: bottom }}>
      {panels.map((panel, at) => {
        const { width, height, ...corner } = place(panel);
        const draw = insides[at];
        return (
          <div key={panel.id} style={{ position: "absolute", width, height, ...corner }}>
            {draw ? (
              <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
                {draw}
              </PanelChrome>
            ) : (
              <strong style={{ lineHeight: `${height}px` }}>{panel.title}</strong>
            )}
          </div>
        );
      })}
    </div>
  );
}
