// Runs test files side by side: run.mjs HOW_MANY TAP_FILE FILE...; shows what they say, and leaves it as TAP as well.
// `node --test` of Debian's Node 18 lets nobody choose how many run at once, and takes one at a time on two cores.
import fs from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec as Spec, tap } from 'node:test/reporters';

const [count, report, ...files] = process.argv.slice(2);
const tests = run({ concurrency: Number(count), files: files.map((file) => path.resolve(file)) });
tests.on('test:fail', ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
tests.compose(tap).pipe(fs.createWriteStream(report));
tests.pipe(new Spec()).pipe(process.stdout);
