// A simulator of ours, such as `tillsim cloud`: started as a process of its own, watched, and ended as an operator would.
import assert from 'node:assert/strict';
import { TILLSIM, spawnHelper, until } from './support.mjs';

const SANITIZER = /ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|CHECK failed:/;
const STOP_MS = 15_000;

export class Simulator {
  /** what: "the cloud", for the messages of a test. */
  constructor(what) {
    this.what = what;
    this.output = '';
    this.log = '';
  }

  /** Ready when its first line is there, which is JSON with its addresses. */
  async run(args) {
    this.child = spawnHelper(TILLSIM, args);
    this.child.stdout.on('data', (data) => (this.output += data));
    this.child.stderr.on('data', (data) => (this.log += data));
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve({ code, signal })));
    let end;
    this.ended.then((value) => (end = value));
    await until(`${this.what} to be ready`, () => {
      if (end) throw new Error(`${this.what} ended at once (${end.code ?? end.signal}):\n${this.log}`);
      return this.output.includes('\n');
    });
    // One that a failed test left running must not keep the test process from its end.
    for (const handle of [this.child, ...this.child.stdio]) handle.unref();
    this.urls = JSON.parse(this.output.split('\n')[0]);
  }

  /** A sanitizer's word or an exit code other than 0 is a failure. */
  async stop() {
    for (const handle of [this.child, ...this.child.stdio]) handle.ref();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    let timer;
    const tooLate = new Promise((resolve) => (timer = setTimeout(resolve, STOP_MS)));
    const end = await Promise.race([this.ended, tooLate]);
    clearTimeout(timer);
    if (!end) this.child.kill('SIGKILL');
    assert.doesNotMatch(this.log, SANITIZER);
    assert.ok(end, `${this.what} did not end within ${STOP_MS} ms of SIGTERM`);
    assert.equal(end.code, 0, `${this.what} ended with ${end.code ?? end.signal}:\n${this.log}`);
  }
}
