/** The JavaScript in the documentation works, in Node; tests/docs/samples.py says how. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { root } from "./testing.js";

test("the samples in the documentation", (t) => {
  const documents = ["README.md", "bindings/js/README.md", "docs/guides/web.md", "docs/TOUR.md"].map(
    (path) => join(root, path));
  const child = spawnSync("python3", [join(root, "tests/docs/samples.py"), "js", ...documents], { encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr);
  t.diagnostic(child.stdout.trim());
});
