// Under systemd: the units are sound, sockets are taken over from it, and it is told how the service is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import {
  COUNTERPART,
  ROOT,
  Service,
  freePort,
  isApproved,
  newOrder,
  newTenant,
  spawnHelper,
  temporaryDirectory,
  until,
} from './support.mjs';

const UNITS = ['counterpart.service', 'counterpart.socket'];
const EXPOSURE_MAX = 20; // tenths; 0 is a unit that can do nothing, 96 one without any guard
const PASSED = ['COUNTERPART_LISTEN', 'COUNTERPART_DATA', 'COUNTERPART_THREADS', 'NOTIFY_SOCKET', 'LSAN_OPTIONS'];

const living = new Set();
const orphans = new Set();
after(async () => {
  for (const id of orphans) process.kill(id, 'SIGKILL');
  for (const service of living) await service.kill();
});

/** The units as they would be installed, with this build's program. */
function installUnits() {
  const folder = temporaryDirectory();
  for (const name of UNITS) {
    const unit = fs.readFileSync(path.join(ROOT, 'packaging/systemd', name), 'utf8');
    fs.writeFileSync(path.join(folder, name), unit.replaceAll('/usr/bin/counterpart', COUNTERPART));
  }
  return UNITS.map((name) => path.join(folder, name));
}

/** systemd's own program that opens a socket and starts the service at the first connection. */
const activation = (port, name = 'http') => [
  'systemd-socket-activate',
  `--listen=127.0.0.1:${port}`,
  `--fdname=${name}`,
  ...PASSED.map((variable) => `--setenv=${variable}`),
];

/** Notifications, each a line, as a service manager gets them. */
async function listenForNotifications() {
  const socket = path.join(temporaryDirectory(), 'notify');
  const program = `socket(S, AF_UNIX, SOCK_DGRAM, 0) and bind(S, pack_sockaddr_un($ARGV[0])) or die; $| = 1; print "there\\n";
    while (defined recv(S, $m, 4096, 0)) { $m =~ tr/\\n/ /; print "$m\\n" }`;
  const heard = { socket, text: '' };
  const helper = spawnHelper('perl', ['-MSocket', '-e', program, socket]);
  helper.stdout.on('data', (data) => {
    heard.text += data;
  });
  for (const handle of [helper, ...helper.stdio]) handle.unref();
  await until('somebody to listen for notifications', () => heard.text.includes('there'));
  return heard;
}

test('systemd finds nothing to say against the units', () => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...installUnits()]);
  assert.equal(`${stdout}${stderr}`, '');
  assert.equal(status, 0);
});

test('the service may do little that it does not need', () => {
  const [unit] = installUnits();
  const args = ['security', '--offline=true', `--threshold=${EXPOSURE_MAX}`, '--no-pager', unit];
  const { status, stdout } = spawnSync('systemd-analyze', args);
  assert.equal(status, 0, String(stdout));
});

test('a register that connects before the service has started is answered, on the socket that systemd has opened', async () => {
  const port = await freePort();
  const service = await Service.start({
    port,
    wrap: activation(port),
    env: { COUNTERPART_LISTEN: '127.0.0.1:1' }, // not used
  });
  living.add(service);
  const shop = await newTenant(service);
  const { number } = await shop.issue({ amount: '5.00' });
  isApproved(await shop.till().checkout({ card: number, amount: '5.00', order: newOrder() }), { balance: '0.00' });
  const isListening = (line) => line.includes('"event":"listening"');
  const listening = await until('the log', () => service.wholeLines.split('\n').find(isListening));
  assert.match(listening, new RegExp(`"http://127.0.0.1:${port} `));
  assert.doesNotMatch(listening, /127\.0\.0\.1:1 /);
  await service.stop();
  living.delete(service);
});

test('a socket that systemd names https speaks TLS, so it needs a certificate', async () => {
  const port = await freePort();
  await assert.rejects(Service.start({ port, wrap: activation(port, 'https') }), /COUNTERPART_TLS_CERT/);
});

test('systemd hears when the service is ready, reloads and stops', async () => {
  const heard = await listenForNotifications();
  const service = await Service.start({ env: { NOTIFY_SOCKET: heard.socket } });
  living.add(service);
  await until('READY', () => heard.text.includes('READY=1'));
  service.signal('SIGHUP');
  await until('RELOADING', () => /RELOADING=1 MONOTONIC_USEC=\d+\s+READY=1/.test(heard.text));
  await service.stop();
  living.delete(service);
  await until('STOPPING', () => heard.text.includes('STOPPING=1'));
});

test('systemd hears of the successor which process is the service now', async () => {
  const heard = await listenForNotifications();
  const port = await freePort();
  const service = await Service.start({ port, wrap: activation(port), env: { NOTIFY_SOCKET: heard.socket } });
  living.add(service);
  const { code, json, stderr } = await service.cli(['hand-over']);
  assert.equal(code, 0, stderr);
  orphans.add(json.process);
  await until('MAINPID', () => heard.text.includes(`MAINPID=${json.process}`));
  assert.doesNotMatch(heard.text, /STOPPING=1/);
  assert.equal(await service.probe('/readyz'), 200, 'the socket of systemd has gone over too');
  process.kill(json.process, 'SIGTERM');
  orphans.delete(json.process);
  await service.ended;
  living.delete(service);
});
