// Bundles src/ into dist/, whose files refer to nothing outside its folder.
import { cp, mkdir, rm } from "node:fs/promises";
import { build } from "esbuild";

const here = new URL(".", import.meta.url);
const path = (name) => new URL(name, here).pathname;

await rm(path("dist"), { recursive: true, force: true });
await mkdir(path("dist"));
await build({
  absWorkingDir: path("."),
  entryPoints: { app: "src/main.js" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome100"],
  legalComments: "linked",
  logLevel: "warning",
});
for (const name of ["index.html", "app.css", "icon.svg"]) {
  await cp(path(`src/${name}`), path(`dist/${name}`));
}
await cp(path("node_modules/jssip/LICENSE.md"), path("dist/LICENSE-jssip.txt"));
