// compose.yaml without an engine: each service as a process of this machine's own programs, with the command,
// environment, user, volumes and health check that stand in the file. Its files are the container's (a root of its own,
// in a mount namespace: that needs root), its names too; in place of 0.0.0.0 it has an address of its own on the
// loopback device, for the network is shared. `node tests/container/compose.mjs` starts all of it and prints where it
// answers, until Ctrl-C.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(new URL('../http/package.json', import.meta.url));
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const FILE = path.join(ROOT, 'compose.yaml');
const BUILD = path.resolve(ROOT, process.env.COUNTERPART_BIN ?? 'build/dev');
const PATHS = ['/usr/lib/postgresql/15/bin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const START_MS = 60_000;

/** Without it there is nothing to run: a file system of its own for each service, and accounts. */
export const CAN_RUN =
  process.getuid() === 0 && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

/** The file with its ${NAME:-default} filled in, merged, as an object. */
export function readCompose(environment = {}) {
  const text = fs.readFileSync(FILE, 'utf8');
  const filled = text.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name, other) => environment[name] || other);
  return require('yaml').parse(filled, { merge: true });
}

// A root folder that shows this machine's own, and in it what the service has: names, /run, volumes.
const ENTER = `
set -e
root=$1 hosts=$2 run=$3
shift 3
mount -t tmpfs root "$root"
for each in /* ; do
    name=\${each#/}
    if [ -L "$each" ]; then cp -P "$each" "$root/$name"
    elif [ -d "$each" ] && [ "$name" != run ]; then mkdir "$root/$name" && mount --rbind "$each" "$root/$name"
    fi
done
mount --bind "$hosts" "$root/etc/hosts"
mkdir "$root/run" && mount --bind "$run" "$root/run"
while [ "$1" != -- ]; do
    source=$1 target=$2 above=$2
    shift 2
    if [ ! -d "$root$target" ]; then
        while [ ! -d "$root$above" ]; do above=$(dirname "$above"); done
        [ "$(stat -c %d "$root$above")" = "$(stat -c %d "$root")" ] || mount -t tmpfs volumes "$root$above"
        mkdir -p "$root$target"
    fi
    mount --bind "$source" "$root$target"
done
shift
exec chroot "$root" "$@"
`;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Deployment {
  constructor(environment = {}) {
    this.environment = environment;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'counterpart-compose-'));
    fs.chmodSync(this.folder, 0o755); // accounts of services go through it
    this.processes = new Map();
    this.network = `127.${crypto.randomInt(64, 250)}.${crypto.randomInt(256)}`;
    const lines = Object.keys(this.services).map((name) => `${this.addressOf(name)} ${name}`);
    fs.writeFileSync(path.join(this.folder, 'hosts'), `127.0.0.1 localhost\n${lines.join('\n')}\n`);
    process.on('exit', () => this.#endNow());
  }

  get services() {
    return readCompose(this.environment).services;
  }

  addressOf(name) {
    return `${this.network}.${10 + Object.keys(this.services).indexOf(name)}`;
  }

  /** Where it answers: as the balancer's first port says. */
  get origin() {
    return `http://${this.addressOf('balancer')}:8080`;
  }

  #place(...names) {
    const folder = path.join(this.folder, ...names);
    fs.mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Program and arguments that run `command` where and as the service runs. */
  #inside(name, command) {
    const { user, volumes = [], environment = {}, build } = this.services[name];
    const run = this.#place(name, 'run');
    const mounts = volumes.flatMap((volume) => {
      const [source, target] = volume.split(':');
      return [source.startsWith('.') ? path.join(ROOT, source) : this.#place('volumes', source), target];
    });
    if (build) mounts.push(path.join(ROOT, 'docker'), '/usr/local/lib/counterpart'); // as the Dockerfile puts it
    // An image makes the folder of a volume its user's; the Debian packages' own sockets are in /run/postgresql.
    if (user) {
      fs.mkdirSync(path.join(run, 'postgresql'), { recursive: true });
      const written = volumes.filter((volume) => !/^\.|:ro$/.test(volume));
      const own = written.map((volume) => this.#place('volumes', volume.split(':')[0]));
      assert.equal(spawnSync('chown', [user, path.join(run, 'postgresql'), ...own]).status, 0);
    }
    const variables = Object.entries(environment).map(
      ([variable, value]) => `${variable}=${String(value).replaceAll('0.0.0.0', this.addressOf(name))}`,
    );
    const account = user ? [`--reuid=${user}`, `--regid=${user}`, '--init-groups'] : [];
    const sanitizers = Object.entries(process.env).filter(([variable]) => /SAN_OPTIONS$/.test(variable));
    return [
      'unshare',
      ...['--mount', '--propagation', 'private', '--', 'sh', '-c', ENTER, 'enter'],
      ...[this.#place(name, 'root'), path.join(this.folder, 'hosts'), run, ...mounts, '--'],
      ...['setpriv', '--pdeathsig', 'KILL', ...account, '--'],
      ...['env', '-i', ...sanitizers.map(([variable, value]) => `${variable}=${value}`)],
      ...[`PATH=${[...(build ? [BUILD] : []), ...PATHS].join(':')}`, ...variables, ...command],
    ].map((word) => word.replaceAll('$$', '$'));
  }

  /** `docker compose exec`: {code, stdout, stderr, json}. */
  async run(name, command, { ms = START_MS } = {}) {
    const [program, ...args] = this.#inside(name, command);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: ms, killSignal: 'SIGKILL' });
    const told = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) child[stream].on('data', (data) => (told[stream] += data));
    const code = await new Promise((resolve) => child.once('close', resolve));
    let json;
    try {
      json = JSON.parse(told.stdout);
    } catch {
      /* not every command speaks JSON */
    }
    return { code, ...told, json };
  }

  async must(name, command) {
    const told = await this.run(name, command);
    assert.equal(told.code, 0, `${name}: ${command.join(' ')}\n${told.stdout}${told.stderr}`);
    return told;
  }

  /** Starts the process of one service; nobody waits for it. */
  launch(name) {
    const { entrypoint = [], command = [] } = this.services[name];
    const [program, ...args] = this.#inside(name, [...entrypoint, ...command]);
    const log = fs.openSync(path.join(this.folder, `${name}.log`), 'a');
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    fs.closeSync(log);
    child.unref();
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    this.processes.set(name, { child, ended });
  }

  log(name) {
    return fs.readFileSync(path.join(this.folder, `${name}.log`), 'utf8');
  }

  isRunning(name) {
    const child = this.processes.get(name)?.child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** The service's own health check. */
  async isHealthy(name) {
    const [kind, ...words] = this.services[name].healthcheck.test;
    const command = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : words;
    return (await this.run(name, command, { ms: 10_000 })).code === 0;
  }

  /** Starts a service when what it depends on is as far as the file says, and waits until it is healthy itself. */
  async up(name) {
    this.launch(name);
    const { healthcheck } = this.services[name];
    const end = Date.now() + START_MS;
    if (!healthcheck) {
      const { child, ended: ending } = this.processes.get(name);
      child.ref();
      const ended = await ending;
      assert.equal(ended, 0, `${name} ended with ${ended}:\n${this.log(name)}`);
      return;
    }
    while (!(await this.isHealthy(name))) {
      assert.ok(this.isRunning(name), `${name} ended:\n${this.log(name)}`);
      assert.ok(Date.now() < end, `${name} does not become healthy:\n${this.log(name)}`);
      await sleep(50);
    }
  }

  /** All of them, side by side as far as depends_on allows. */
  async start() {
    const starts = new Map();
    const dependencies = (name) => {
      const wanted = this.services[name].depends_on ?? {};
      return Array.isArray(wanted) ? [] : Object.keys(wanted); // a list: they need not be healthy
    };
    const start = (name) => {
      if (!starts.has(name)) starts.set(name, Promise.all(dependencies(name).map(start)).then(() => this.up(name)));
      return starts.get(name);
    };
    await Promise.all(Object.keys(this.services).map(start));
  }

  /** `docker compose kill`: as a machine that loses its power. */
  async kill(name) {
    this.#signal(name, 'SIGKILL');
    await this.processes.get(name).ended;
  }

  /** `docker compose stop`: gives how it ended. */
  stop(name) {
    this.#signal(name, this.services[name].stop_signal ?? 'SIGTERM');
    return this.processes.get(name).ended;
  }

  #signal(name, signal) {
    const { child } = this.processes.get(name);
    child.ref();
    child.kill(signal);
  }

  /** `docker compose rm` and `docker volume rm`. */
  removeVolume(volume) {
    fs.rmSync(path.join(this.folder, 'volumes', volume), { recursive: true });
  }

  async end() {
    const running = Object.keys(this.services).filter((name) => this.isRunning(name));
    await Promise.all(running.map((name) => this.stop(name)));
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  #endNow() {
    for (const { child } of this.processes.values()) if (child.exitCode === null) child.kill('SIGKILL');
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  assert.ok(CAN_RUN, 'this needs root, and the right to mount');
  const deployment = new Deployment(process.env);
  const over = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve);
  });
  await deployment.start();
  console.log(`all healthy; files in ${deployment.folder}\n${deployment.origin}/healthz`);
  const waiting = setInterval(() => {}, 1 << 30); // children and signals alone do not keep node from its end
  await over;
  clearInterval(waiting);
  await deployment.end();
}
