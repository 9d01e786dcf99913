// Executes the README: `./dev run` as it stands, then every other sh block, in order, in one shell. What the README
// shows as output must be what comes out, but for what differs on every machine (ids, keys, numbers, times).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../http/support.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const data = mkdtempSync(join(tmpdir(), 'counterpart-readme-'));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Fenced blocks in order: an sh block and, where the next block is text, the output it promises. */
export function commandBlocks(markdown) {
  const fences = [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));
  return fences.flatMap(({ language, text }, i) => {
    const next = fences[i + 1];
    return language === 'sh' ? [{ command: text.trim(), output: next?.language === 'text' ? next.text : null }] : [];
  });
}

/** What differs from machine to machine and from run to run, taken out. */
export function comparable(output) {
  return output
    .replace(/\x1b\[[0-9;]*m/g, '').replace(/\r/g, '\n')
    .replace(/[0-9a-f]{32,64}/g, 'HEX')
    .replace(/(CP-R\d+)-[0-9a-f]{8}/g, '$1-MARK')
    .replace(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\b\d+(\.\d+)? (ms|us|s)\b/g, 'DURATION')
    .replaceAll(data, './var')
    .replace(/[─ ]+/g, ' ')
    .split('\n').map((line) => line.trim()).filter((line) => line !== '');
}

/** Does actual show the promised lines, in this order? A line "..." stands for any lines, none included. */
export function assertShows(actual, promised) {
  const lines = comparable(actual);
  let at = 0, mayskip = false;
  for (const wanted of comparable(promised)) {
    if (wanted === '...') {
      mayskip = true;
      continue;
    }
    const found = mayskip ? lines.indexOf(wanted, at) : (lines[at] === wanted ? at : -1);
    assert.ok(found >= 0, `not shown: ${wanted}\nin:\n${lines.join('\n')}`);
    at = found + 1;
    mayskip = false;
  }
  assert.ok(mayskip || at === lines.length, `shown beyond the README: ${lines.slice(at).join('\n')}`);
}

const [first, ...rest] = commandBlocks(readme);
let service, log = '';

/** The service's environment: the tests' own variables are none of its business. */
async function environment() {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERPART_') && name !== 'NODE_TEST_CONTEXT');
  return { ...Object.fromEntries(ours), COUNTERPART_DATA: data, COUNTERPART_LISTEN: `127.0.0.1:${await freePort()}` };
}

let env;
/** `./dev run`, until it says that it serves. */
async function start() {
  log = '';
  service = spawn('bash', ['-c', first.command], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  service.ended = new Promise((done) => service.once('exit', (code, signal) => done(code ?? signal)));
  for (const stream of [service.stdout, service.stderr]) stream.on('data', (part) => { log += part; });
  for (const end = Date.now() + 600_000; !existsSync(join(data, 'demo.env')) || !log.includes('Ctrl-C stops it'); ) {
    if (service.exitCode !== null || Date.now() > end) assert.fail(`${first.command} did not come up:\n${log}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
before(async () => {
  env = await environment();
  await start();
});
after(() => {
  try { process.kill(-service.pid, 'SIGKILL'); } catch { /* gone already */ }
  rmSync(data, { recursive: true, force: true });
});

/** Runs all blocks in one shell on a terminal, as they are pasted one after the other; gives the output of each. */
function paste(commands) {
  const mark = '@@@ block';
  const file = join(data, 'paste.sh');
  writeFileSync(file, commands.map((command, i) => `echo '${mark} ${i}'\n${command.replaceAll('var/demo.env', join(data, 'demo.env'))}\n`).join(''));
  const terminal = spawn('script', ['-qec', `bash -u ${file}`, '/dev/null'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  terminal.stdout.on('data', (part) => { out += part; });
  return new Promise((done) => terminal.once('close', () => done(out.split(/^@@@ block \d+\r?$/m).slice(1))));
}

test('the README opens with ./dev run', () => assert.equal(first?.command, './dev run'));

test('the README is at most 150 lines', () => assert.ok(readme.split('\n').length <= 151));

test('every file and folder the README links to is there', () => {
  for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) assert.ok(existsSync(join(root, target)), target);
});

test('every ./dev command the README names exists', () => {
  const usage = readFileSync(join(root, 'dev'), 'utf8');
  for (const [, name] of readme.matchAll(/\.\/dev (\w+)/g)) assert.match(usage, new RegExp(`^  ${name} `, 'm'), name);
});

test('./dev run prints what the README shows', () => {
  assert.ok(first.output, 'the README shows no output for it');
  assertShows(log.slice(0, log.indexOf('Ctrl-C stops it') + 15), first.output);
});

test('every other command of the README does what the README shows', async (context) => {
  const outputs = await paste(rest.map((block) => block.command));
  assert.equal(outputs.length, rest.length);
  for (const [i, { command, output }] of rest.entries())
    await context.test(command.split('\n')[0], () => {
      assert.ok(output, 'the README shows no output for it');
      assertShows(outputs[i], output);
    });
});

test('a README that promises something else is found out', () => {
  assertShows('a\nb\nc', '...\nb\n...');
  assert.throws(() => assertShows('a\nb\nc', 'a\nc\n...'));
  assert.throws(() => assertShows('a\nb', 'b\na'));
  assert.throws(() => assertShows('a\nb', 'a'));
});

test('Ctrl-C stops ./dev run cleanly', async () => {
  process.kill(-service.pid, 'SIGINT');
  assert.equal(await service.ended, 0, log.slice(-2000));
});

test('another run on the same ledger has no sale of the run before under its ids', async () => {
  const values = (pattern) => [...readFileSync(join(data, 'demo.env'), 'utf8').matchAll(pattern)].map(([, value]) => value);
  const earlier = values(/^DEMO_ORDER\w*='(\d+)'$/gm).map(Number);
  assert.equal(earlier.length, 6);
  await start();
  const [cloud] = values(/^DEMO_CLOUD='(.*)'$/gm);
  const all = await (await fetch(`${cloud}/_cloud/orders`)).json();
  assert.ok(all.length > 6);
  for (const { id } of all) assert.ok(id > Math.max(...earlier), `${id} was in the run before`);
  process.kill(-service.pid, 'SIGINT');
  assert.equal(await service.ended, 0, log.slice(-2000));
});
