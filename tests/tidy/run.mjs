// Runs one check: first on its own bad and good samples (a check that cannot fail is a defect), then on the tree.
// usage: node run.mjs CHECK [ROOT]
import { SourceFile, readTree } from "./source.mjs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [name, root = join(here, "../..")] = process.argv.slice(2);
const { check, samples, readFiles = readTree } = await import(`./${name}.mjs`);

const filesOf = (sample) => Object.entries(sample.files).map(([path, content]) => new SourceFile(path, content));
let failures = 0;
for (const sample of samples) {
  const found = check(filesOf(sample)).map((finding) => `${finding.path}:${finding.line}`);
  const expected = sample.expect;
  if (found.join(" ") !== expected.join(" ")) {
    failures++;
    console.error(`self-test "${sample.name}": expected [${expected.join(" ")}], found [${found.join(" ")}]`);
  }
}
if (!samples.some((sample) => sample.expect.length > 0) || !samples.some((sample) => sample.expect.length === 0)) {
  failures++;
  console.error("a check needs at least one bad and one good sample");
}

const files = readFiles(root);
if (files.length === 0) {
  failures++;
  console.error(`no files under ${root}`);
}
for (const finding of check(files)) {
  failures++;
  console.error(`${finding.path}:${finding.line}: ${finding.text}`);
}
console.log(`${name}: ${files.length} files, ${samples.length} samples, ${failures} findings`);
process.exit(failures === 0 ? 0 : 1);
