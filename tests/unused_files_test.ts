/** What of npm packages is left out of the executable. */
import { assertEquals } from "@std/assert";
import { unusedFiles } from "../.ci/unused_files.ts";
import { shell } from "./helpers.ts";

/** So large that leaving a file out is worth it. */
const LARGE = "// ".padEnd(5000, "x");

/** A folder with packages, as Deno keeps them: by the name of the registry, their own, and their version. */
class Packages implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(files: Record<string, string>): Promise<Packages> {
    const folder = await shell('printf %s "$(mktemp -d)"');
    for (const [path, text] of Object.entries(files)) {
      await shell(`mkdir -p "$(dirname '${folder}/registry/${path}')" && cat > '${folder}/registry/${path}'`, text);
    }
    return new Packages(folder);
  }

  /** What a program does not load that imports one of them, and that one the others. */
  unused(specifier: string): string[] {
    const npmPackages = {
      "a@1.0.0": { name: "a", version: "1.0.0", dependencies: ["@x/b@2.0.0", "c@3.0.0"] },
      "@x/b@2.0.0": { name: "@x/b", version: "2.0.0", dependencies: [] },
      "c@3.0.0": { name: "c", version: "3.0.0", dependencies: [] },
    };
    const paths = unusedFiles({ modules: [{ kind: "npm", specifier }], npmPackages }, this.folder);
    return paths.map((path) => path.replace(`${this.folder}/registry/`, "")).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await shell(`rm -rf '${this.folder}'`);
  }
}

Deno.test("unusedFiles lists files that nothing imports or requires, and wholly unused folders as one", async () => {
  await using packages = await Packages.make({
    "a/1.0.0/package.json": `{"main":"lib/main"}`,
    "a/1.0.0/LICENSE": LARGE,
    "a/1.0.0/README.md": LARGE,
    "a/1.0.0/lib/main.js":
      `${LARGE}\nconst b = require('@x/b/one');const d = require("./data.json");import("../deep");`,
    "a/1.0.0/lib/main.js.map": LARGE,
    "a/1.0.0/lib/small.d.ts": "",
    "a/1.0.0/lib/data.json": LARGE,
    "a/1.0.0/deep/index.js": LARGE,
    "a/1.0.0/deep/other.js": LARGE,
    "a/1.0.0/test/one.js": LARGE,
    "a/1.0.0/test/two.js": LARGE,
    "@x/b/2.0.0/package.json": `{"exports":{"./*":{"types":"./*.d.ts","import":"./esm/*.mjs","require":"./cjs/*.js"}}}`,
    "@x/b/2.0.0/one.d.ts": LARGE,
    "@x/b/2.0.0/esm/one.mjs": `${LARGE}\nexport * from "./shared.mjs";`,
    "@x/b/2.0.0/esm/shared.mjs": LARGE,
    "@x/b/2.0.0/esm/two.mjs": LARGE,
    "@x/b/2.0.0/cjs/one.js": LARGE,
    "c/3.0.0/package.json": "{}",
    "c/3.0.0/index.js": LARGE,
  });
  assertEquals(packages.unused("npm:/a@1.0.0"), [
    "@x/b/2.0.0/esm/two.mjs",
    "@x/b/2.0.0/one.d.ts",
    "a/1.0.0/README.md",
    "a/1.0.0/deep/other.js",
    "a/1.0.0/lib/main.js.map",
    "a/1.0.0/test",
    "c/3.0.0",
  ]);
  assertEquals(packages.unused("npm:a@1.0.0/deep/other.js"), [
    "@x/b/2.0.0",
    "a/1.0.0/README.md",
    "a/1.0.0/deep/index.js",
    "a/1.0.0/lib",
    "a/1.0.0/test",
    "c/3.0.0",
  ]);
});
