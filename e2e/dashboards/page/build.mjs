// Bundles the page into the folder that is named: with the icons and fonts that the components ask for.
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = process.argv[2];
await esbuild.build({
  absWorkingDir: here,
  entryPoints: ["src/page.tsx", "src/index.html"],
  bundle: true,
  format: "esm",
  splitting: true,
  target: "es2022",
  jsx: "automatic",
  loader: { ".html": "copy", ".ttf": "file" },
  define: { "process.env.NODE_ENV": '"production"' },
  outdir: out,
  logLevel: "warning",
});
// Where the components look for icons and fonts.
const packages = join(here, "node_modules");
await cp(join(packages, "@grafana/ui/dist/public/img"), join(out, "public/build/img"), { recursive: true });
for (const [name, weight] of [["Regular", 400], ["Medium", 500]]) {
  const font = join(packages, `@fontsource/inter/files/inter-latin-${weight}-normal.woff2`);
  await cp(font, join(out, `public/fonts/inter/Inter-${name}.woff2`));
}
