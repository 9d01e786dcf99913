// The service a developer would write in an afternoon, and would not be ashamed of: fastify, pg, ioredis. The signature
// of the raw body is checked, a repeat gets the first reply (from Redis, else from the table), and a charge is one
// transaction of plain statements. One process for each core: node:cluster.
// PORT=.. WORKERS=.. CONNECTIONS=.. DATABASE_URL=.. REDIS_URL=.. SIGNATURE_TOKEN=.. node server.mjs
import cluster from 'node:cluster';
import { createHmac, timingSafeEqual } from 'node:crypto';
import fastify from 'fastify';
import { Redis } from 'ioredis';
import pg from 'pg';

const { PORT, WORKERS = '1', CONNECTIONS = '16', DATABASE_URL, REDIS_URL, SIGNATURE_TOKEN } = process.env;
const REPLAY_S = 90;

// A name makes it a prepared statement: parsed and planned once for each connection.
const sql = Object.fromEntries(
  Object.entries({
    card: 'SELECT id, balance_minor, version FROM card WHERE number = $1 FOR UPDATE',
    earlier: `SELECT id, balance_minor_after FROM operation WHERE order_id = $1 AND card_id = $2 AND asked_minor = $3
      AND is_charged AND created_at > now() - INTERVAL '${REPLAY_S} seconds' ORDER BY id DESC LIMIT 1`,
    operation: `INSERT INTO operation (card_id, order_id, site_id, register_id, asked_minor)
      VALUES ($1, $2, $3, $4, $5) RETURNING id`,
    transfer: `INSERT INTO transfer (operation_id, card_id, amount_minor, version, balance_minor_after)
      VALUES ($1, $2, $3, $4, $5)`,
    balance: 'UPDATE card SET balance_minor = $2, version = $3 WHERE id = $1',
    outcome: 'UPDATE operation SET is_charged = $2, balance_minor_after = $3 WHERE id = $1',
  }).map(([name, text]) => [name, { name, text }]),
);

function isSigned(body, signature) {
  const expected = createHmac('sha256', SIGNATURE_TOKEN).update(body).digest();
  const given = Buffer.from(String(signature), 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** "25.50" and 25.5 as 2550. */
function minorOf(amount) {
  const [, units, cents = ''] = /^(\d{1,12})(?:\.(\d{1,2}))?$/.exec(String(amount)) ?? [];
  return units === undefined ? 0n : BigInt(units + cents.padEnd(2, '0'));
}

const decimal = (minor) => `${minor / 100n}.${String(minor % 100n).padStart(2, '0')}`;

const approval = (operation, amount, balance) =>
  `{"success":true,"amount":${decimal(amount)},"balance":${decimal(balance)},"reference_id":"N${operation}",` +
  `"ref":"N${operation}","message":"Gift card charged $${decimal(amount)}, $${decimal(balance)} left"}`;

const refusal = (error) => JSON.stringify({ success: false, amount: 0, error });

/** On a connection with a transaction open: the reply. */
async function book(client, { keyword, order_id: order, site_id: site, register_id: register }, amount) {
  const ask = async (statement, values) => (await client.query({ ...statement, values })).rows[0];
  const card = await ask(sql.card, [keyword]);
  if (!card) return refusal('Card not found');
  const earlier = await ask(sql.earlier, [order, card.id, amount]);
  if (earlier) return approval(earlier.id, amount, BigInt(earlier.balance_minor_after));
  const balance = BigInt(card.balance_minor) - amount;
  const operation = await ask(sql.operation, [card.id, order, site, register, amount]);
  if (balance < 0n) return refusal('Insufficient balance');
  const version = BigInt(card.version) + 1n;
  await ask(sql.transfer, [operation.id, card.id, amount, version, balance]);
  await ask(sql.balance, [card.id, balance, version]);
  await ask(sql.outcome, [operation.id, true, balance]);
  return approval(operation.id, amount, balance);
}

async function charge(pool, body, amount) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const reply = await book(client, body, amount);
    await client.query('COMMIT');
    client.release();
    return reply;
  } catch (error) {
    client.release(error); // the transaction goes with its connection
    throw error;
  }
}

async function serve() {
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(CONNECTIONS) });
  pool.on('error', (error) => console.error(error.message)); // of an idle connection: the pool makes another
  const redis = new Redis(REDIS_URL);
  const app = fastify();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
  app.get('/readyz', async () => 'ready');
  app.post('/*', async (request, reply) => {
    reply.type('application/json');
    if (!isSigned(request.body, request.headers['x-kounta-signature']))
      return reply.code(401).send(refusal('The signature is wrong'));
    const body = JSON.parse(request.body);
    const amount = minorOf(body.amount);
    if (amount <= 0n) return refusal('The amount is not a plain number');
    const identity = `charge:${body.order_id}:${body.keyword}:${amount}`;
    const earlier = await redis.get(identity);
    if (earlier) return earlier;
    const text = await charge(pool, body, amount);
    if (text.startsWith('{"success":true')) await redis.set(identity, text, 'EX', REPLAY_S);
    return text;
  });
  await app.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 4096 });
}

if (cluster.isPrimary && Number(WORKERS) > 1) {
  for (let i = 0; i < Number(WORKERS); i++) cluster.fork();
  cluster.on('exit', () => process.exit(1));
  process.on('SIGTERM', () => process.exit(0));
} else {
  await serve();
}
