// Builds the page into service/sentiment_service/web: hashed names, the same bytes for the same sources.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = process.argv[2] ?? join(here, "../service/sentiment_service/web");
const assets = join(out, "assets");
await rm(out, { recursive: true, force: true });
await mkdir(assets, { recursive: true });

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  outdir: assets,
  metafile: true,
  splitting: true,
  logLevel: "warning",
};

const nameOf = (path) => basename(relative(assets, join(here, path)));

/** The names of the built files by the entry that they come from. */
function outputs(result) {
  const entries = Object.entries(result.metafile.outputs).filter(([, { entryPoint }]) => entryPoint);
  return Object.fromEntries(entries.map(([path, { entryPoint }]) => [basename(entryPoint), nameOf(path)]));
}

/** What the page's first view loads beside its entry, so that the browser asks for it at once. */
function preloads(result) {
  const main = Object.values(result.metafile.outputs).find(({ entryPoint }) => entryPoint?.endsWith("main.tsx"));
  const first = main.imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => nameOf(path));
  return first.map((name) => `<link rel="modulepreload" href="assets/${name}">\n`).join("");
}

// Workers first: the page holds their names.
const workers = outputs(
  await esbuild.build({ ...common, entryPoints: ["src/batch/parse.worker.ts", "src/batch/export.worker.ts"] }),
);
const built = await esbuild.build({
    ...common,
    entryPoints: ["src/main.tsx", "src/docs.ts", "src/style.css", "src/icon.svg"],
    loader: { ".svg": "copy" },
    jsx: "automatic",
    jsxImportSource: "preact",
    define: {
      PARSE_WORKER: JSON.stringify(workers["parse.worker.ts"]),
      EXPORT_WORKER: JSON.stringify(workers["export.worker.ts"]),
    },
});
const page = outputs(built);
for (const name of ["index.html", "docs.html"]) {
  const html = await readFile(join(here, "src", name), "utf8");
  const filled = html.replace("{{preloads}}\n", preloads(built));
  await writeFile(join(out, name), filled.replace(/\{\{(.+?)\}\}/g, (_, entry) => `assets/${page[entry]}`));
}
