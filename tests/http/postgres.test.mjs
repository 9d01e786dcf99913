// The service on a real PostgreSQL: a restart, a server that is killed, a replica that takes over, an old primary that
// comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { Postgres } from './postgres.mjs';
import { COUNTERPART, Service, areIdentical, isApproved, isRefused, newOrder, newTenant, run,
  temporaryDirectory, until } from './support.mjs';

const untilReady = (service, isOk = true) =>
  until(`readiness ${isOk}`, async () => (await service.get('/readyz')).status === (isOk ? 200 : 503), 60_000);

test('what was answered is there after a restart of the service and of its database', async () => {
  const cluster = await Postgres.start();
  const service = await Service.start({ env: { COUNTERPART_DATABASE: await cluster.createDatabase() } });
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '50.00' });
  const till = shop.till();
  const order = newOrder();
  const first = await till.checkout({ card, amount: '12.50', order });
  isApproved(first, { amount: '12.50', balance: '37.50' });
  areIdentical(await till.checkout({ card, amount: '12.50', order }), first);

  await service.stop();
  assert.deepEqual(fs.readdirSync(service.data).filter((name) => name.includes('sqlite')), []);
  await service.restart();
  areIdentical(await till.checkout({ card, amount: '12.50', order }), first);

  await cluster.killPrimary();
  isRefused(await till.checkout({ card, amount: '1.00', order: newOrder() }));
  await untilReady(service, false);
  await cluster.primary.launch();
  await untilReady(service);
  isApproved(await till.checkout({ card, amount: '1.00', order: newOrder() }), { balance: '36.50' });
  isApproved(await till.topUp({ card, amount: '3.50', order: newOrder() }), { balance: '40.00' });
  await service.verifyIsClean();
  await service.stop();
  await cluster.stop();
});

test('the replica takes over, and the old primary is refused when it comes back', async () => {
  const cluster = await Postgres.start({ replica: true });
  const service = await Service.start({ env: { COUNTERPART_DATABASE: await cluster.createDatabase() } });
  const shop = await newTenant(service);
  const { number: card } = await shop.issue({ amount: '50.00' });
  const till = shop.till();
  isApproved(await till.checkout({ card, amount: '10.00', order: newOrder() }), { balance: '40.00' });

  await cluster.killPrimary();
  await untilReady(service, false);
  await cluster.promote();
  await untilReady(service);
  isApproved(await till.checkout({ card, amount: '10.00', order: newOrder() }), { balance: '30.00' });
  assert.match(fs.readFileSync(path.join(service.data, 'timeline'), 'utf8'), /^\d+ 2\n$/);

  await cluster.revive(); // alone it would take writes
  await service.stop();
  await service.restart(); // it stands first in the location
  isApproved(await till.checkBalance({ card }), { balance: '30.00' });
  isApproved(await till.checkout({ card, amount: '10.00', order: newOrder() }), { balance: '20.00' });
  await cluster.killPrimary();
  isRefused(await till.checkout({ card, amount: '1.00', order: newOrder() }));
  await until('the old primary to be refused', () => service.log.includes('postgres_is_an_old_primary'));
  await cluster.primary.launch();
  await untilReady(service);
  isApproved(await till.checkBalance({ card }), { balance: '20.00' });
  await service.verifyIsClean();
  await service.stop();
  await cluster.stop();
});

test('a database that is not there is a start error without its password', async () => {
  const env = {
    COUNTERPART_DATA: path.join(temporaryDirectory(), 'var'),
    COUNTERPART_LISTEN: '127.0.0.1:0',
    COUNTERPART_DATABASE: 'postgresql://till:ocean-secret@127.0.0.1:1/name',
  };
  const { code, stdout, stderr } = await run(COUNTERPART, ['serve'], { env });
  assert.notEqual(code, 0);
  assert.match(stderr, /COUNTERPART_DATABASE/);
  assert.ok(!`${stdout}${stderr}`.includes('ocean-secret'), stderr);
});
