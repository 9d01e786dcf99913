// The lost-reply drill (drill.mjs) by seed: thousands of bills whose replies get lost, and in the end registers and
// ledger say the same to the cent, or exactly what nobody can read is open. `./dev soak` runs many seeds.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { Drill } from './drill.mjs';
import { cents } from './drill_shop.mjs';
import { IS_SLOW } from './support.mjs';

const IS_SOAK = process.env.COUNTERPART_SOAK !== undefined;
// 10,000 take minutes on two cores: those are for ./dev soak, with seeds of chance; everybody's run is the same one.
const CHECKOUTS = Number(process.env.COUNTERPART_DRILL_CHECKOUTS ?? (IS_SOAK ? 10_000 : IS_SLOW ? 1_000 : 2_000));
const SEEDS = Number(process.env.COUNTERPART_DRILL_SEEDS ?? 1);
const FIRST_SEED = Number(process.env.COUNTERPART_SEED ?? (IS_SOAK ? crypto.randomInt(2 ** 31 - 1000) : 71));
const HIDDEN = 20;
const STORIES = 20; // told of items that should not be open
const TIMEOUT_MS = 600_000;

const itemsOf = (reports) => reports.flatMap(({ tenant, items }) => items.map((item) => ({ tenant, ...item })));

async function drill(seed, options, judge) {
  console.log(`# drill: COUNTERPART_SEED=${seed}, ${JSON.stringify(options)}`);
  const one = new Drill(seed, (text) => console.log(`#   ${text}`));
  let isDone = false;
  try {
    await one.open(options);
    await one.trade();
    const reports = await one.settle();
    const strange = itemsOf(reports).filter((item) => !one.hidden.has(item.order_id));
    strange.push(...(await one.misread()));
    for (const item of strange.slice(0, STORIES)) one.say(await one.story(item));
    await judge(one, reports);
    await one.service.verifyIsClean();
    isDone = true;
  } finally {
    if (!isDone) one.service?.child.kill('SIGKILL');
    if (!isDone) one.cloud?.child.kill('SIGKILL');
    if (isDone) await one.close();
    else one.leave();
  }
}

/** What was meant to happen has happened: a drill without losses would prove nothing. */
function everythingOccurred({ counts }, checkouts) {
  assert.ok(counts.checkouts >= checkouts, `${counts.checkouts} checkouts`);
  const lost = counts['checkout replies lost'] / counts.checkouts;
  assert.ok(lost > 0.15 && lost < 0.25, `${lost} of the replies were lost`);
  for (const what of [
    ...['checkouts tried again', 'tried again with another amount', 'checkouts refused', 'approved in part'],
    ...['refund replies lost', 'refunds tried again', 'refunds given in cash instead', 'opened on another register'],
    ...['hidden for a while', 'top-up replies lost', 'bills split', 'bills merged', 'bills deleted', 'bills reopened'],
  ])
    assert.ok(counts[what] > 0, `${what}: none`);
}

/** Each shop: the report's two sums, and the two that the drill has counted itself. */
async function sums(one, reports) {
  const registers = await one.registerTotals();
  const ledgers = await one.ledgerTotals();
  return one.shops.map((shop, i) => ({
    tenant: shop.tenant.id,
    register: cents(reports[i].register_total),
    ledger: cents(reports[i].ledger_total),
    registerCounted: registers.get(shop),
    ledgerCounted: ledgers.get(shop),
  }));
}

for (let i = 0; i < SEEDS; i++) {
  const seed = FIRST_SEED + i;
  const toTheCent = `${CHECKOUTS} checkouts, every order readable in the end: to the cent, nothing open (seed ${seed})`;
  test(toTheCent, { timeout: TIMEOUT_MS }, () =>
    drill(seed, { checkouts: CHECKOUTS }, async (one, reports) => {
      assert.deepEqual(itemsOf(reports), [], 'open items');
      for (const sum of await sums(one, reports)) {
        const { register, ledger, registerCounted, ledgerCounted } = sum;
        assert.deepEqual(
          { ledger, registerCounted, ledgerCounted },
          { ledger: register, registerCounted: register, ledgerCounted: register },
          `tenant ${sum.tenant}`,
        );
      }
      assert.deepEqual(await one.wrongCards(), [], 'cards that do not hold what they should');
      everythingOccurred(one, CHECKOUTS * 0.95);
    }));

  const justTheHidden = `${HIDDEN} orders hidden for ever are open with their reason, and nothing else (seed ${seed})`;
  test(justTheHidden, { timeout: TIMEOUT_MS }, () =>
    drill(seed, { checkouts: CHECKOUTS / 5, hidden: HIDDEN }, async (one, reports) => {
      const items = itemsOf(reports);
      assert.deepEqual(new Set(items.map((item) => item.order_id)), one.hidden);
      assert.equal(items.length, HIDDEN);
      for (const item of items) {
        assert.equal(item.reason, 'unreadable', JSON.stringify(item));
        assert.match(item.sentence, /cannot be read/);
      }
      for (const { tenant, register, ledger, registerCounted, ledgerCounted } of await sums(one, reports)) {
        const listed = items.filter((item) => item.tenant === tenant);
        const difference = listed.reduce((sum, item) => sum + cents(item.difference), 0);
        assert.equal(ledgerCounted, ledger, `tenant ${tenant}: the ledger`);
        assert.equal(register - ledger, difference, `tenant ${tenant}: the difference is that of its items`);
        assert.equal(registerCounted, register - difference, `tenant ${tenant}: the registers, hidden orders too`);
      }
      assert.deepEqual(await one.wrongCards(), []);
    }));
}
