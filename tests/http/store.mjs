// The store that the suites run on: SQLite, or PostgreSQL with COUNTERPART_TEST_STORE=postgresql. There every data
// folder has a database of its own, in the cluster of COUNTERPART_TEST_POSTGRESQL (with_postgres.mjs starts one) or, where
// that is not set, in one of the test process. What a suite asks of its rows, it asks through here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { run, spawnHelper, until } from './support.mjs';

const STORE = process.env.COUNTERPART_TEST_STORE ?? 'sqlite';
assert.match(STORE, /^(sqlite|postgresql)$/, 'COUNTERPART_TEST_STORE');
export const IS_POSTGRES = STORE === 'postgresql';
const BUSY_MS = 5000;

/** Options of a test that is about SQLite's own: elsewhere it is skipped, and says why. */
export const sqliteOnly = (why) => ({ skip: IS_POSTGRES && `SQLite's own: ${why}` });

// --- databases -----------------------------------------------------------------------------------

const databases = new Map(); // data folder: name of its database
let startedCluster;

/** Where databases are made: {location: the servers' names and ports, and url of one of its databases}. */
async function cluster() {
  let admin = process.env.COUNTERPART_TEST_POSTGRESQL;
  if (!admin) {
    startedCluster ??= import('./postgres.mjs').then(({ Postgres }) => Postgres.start({ replica: true }));
    admin = (await startedCluster).adminUrl;
  }
  const [, hosts] = admin.match(/^postgresql:\/\/postgres@([^/]+)\/postgres$/);
  return {
    urlOf: (database) => `postgresql://counterpart@${hosts}/${database}`,
    // The first is the primary, and stays it.
    ownerOf: (database) => `postgresql://postgres@${hosts.split(',')[0]}/${database}`,
  };
}

/** Numbers are numbers, as SQLite gives them. */
const types = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC ? Number : pg.types.getTypeParser(oid, format),
};

/** A connection as the cluster's owner; ended when `use` is. */
async function connected(database, use) {
  const client = new pg.Client({ connectionString: (await cluster()).ownerOf(database), types });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** The environment of a program that works on this data folder: nothing where the folder is all. */
export async function storeEnvironment(data) {
  if (!databases.has(data)) return {};
  return { COUNTERPART_DATABASE: (await cluster()).urlOf(databases.get(data)) };
}

/** The same for a service that is to be started on it: its database is made with the first. */
export async function createStore(data) {
  if (!IS_POSTGRES) return {};
  if (!databases.has(data)) {
    const name = `counterpart_${crypto.randomBytes(6).toString('hex')}`;
    await connected('postgres', (client) => client.query(`CREATE DATABASE ${name} OWNER counterpart`));
    databases.set(data, name);
  }
  return storeEnvironment(data);
}

/** For the end of the test process, which waits for nothing else. */
export function dropStores() {
  const admin = process.env.COUNTERPART_TEST_POSTGRESQL;
  if (databases.size === 0 || !admin) return; // a cluster of our own goes as a whole
  const drops = [...databases.values()].flatMap((name) => ['-c', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`]);
  spawnSync('psql', ['-X', '-q', '-d', admin, ...drops]);
  databases.clear();
}

// --- rows ----------------------------------------------------------------------------------------

const fileOf = (data) => path.join(data, 'counterpart.sqlite');

async function sqlite(data, options, text) {
  const { code, stdout, stderr } = await run('sqlite3', [
    ...['-bail', '-json', '-cmd', `.timeout ${BUSY_MS}`, ...options],
    ...[fileOf(data), text],
  ]);
  assert.equal(code, 0, `${text}:\n${stderr}`);
  return stdout.trim() === '' ? [] : JSON.parse(stdout);
}

/** Bytes, as they stand in SQL. */
export const blobLiteral = (hex) => (IS_POSTGRES ? `'\\x${hex}'::bytea` : `x'${hex}'`);

/** Runs SQL of both databases; gives the rows of the one query in it, as objects. */
export async function storeSql(data, text) {
  if (!IS_POSTGRES) return sqlite(data, [], text);
  const results = await connected(databases.get(data), (client) => client.query(text));
  return [results].flat().flatMap(({ rows }) => rows);
}

/** The same against what the schema forbids: checks and triggers are silent. */
export async function tamperStore(data, text) {
  if (!IS_POSTGRES) return sqlite(data, ['-cmd', 'PRAGMA ignore_check_constraints = 1'], text);
  return storeSql(data, `SET session_replication_role = replica; ${text}`);
}

/** All bytes that it keeps: [{name, bytes}]. */
export async function storeBytes(data) {
  if (!IS_POSTGRES)
    return fs
      .readdirSync(data)
      .filter((name) => name.startsWith('counterpart.sqlite'))
      .map((name) => ({ name, bytes: fs.readFileSync(path.join(data, name)) }));
  const { ownerOf } = await cluster();
  const name = databases.get(data);
  const { code, stdout, stderr } = await run('pg_dump', ['--data-only', '-d', ownerOf(name)]);
  assert.equal(code, 0, stderr);
  const blobs = [...stdout.matchAll(/\\\\x((?:[0-9a-f]{2})+)/g)].map(([, hex]) => Buffer.from(hex, 'hex'));
  return [
    { name, bytes: Buffer.from(stdout) },
    { name: `${name}, its blobs`, bytes: Buffer.concat(blobs) },
  ];
}

/** Nothing is left of it but the place where it was. */
export async function eraseStore(data) {
  if (IS_POSTGRES) await storeSql(data, 'DROP OWNED BY counterpart CASCADE');
  else fs.rmSync(fileOf(data));
}

// --- trouble -------------------------------------------------------------------------------------

/** Nobody else may write to the store, but read it; gives what lets it go. */
export async function lockStore(data) {
  const [program, args, begin] = IS_POSTGRES
    ? ['psql', ['-X', '-q', '-d', (await cluster()).ownerOf(databases.get(data))], lockTables]
    : ['sqlite3', [fileOf(data)], `.timeout ${BUSY_MS}\nBEGIN EXCLUSIVE;\n`];
  const locker = spawnHelper(program, args);
  for (const handle of [locker, ...locker.stdio]) handle.unref(); // a failed test must come to its end
  let said = '';
  for (const stream of [locker.stdout, locker.stderr]) stream.on('data', (data) => (said += data));
  locker.stdin.write(`${begin}SELECT 'locked';\n`);
  await until('the lock', () => said.includes('locked'));
  return () => locker.stdin.end('ROLLBACK;\n');
}

const lockTables = `BEGIN;
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
    AND relnamespace = 'public'::regnamespace ORDER BY 1
  LOOP EXECUTE format('LOCK TABLE %I IN EXCLUSIVE MODE', name); END LOOP;
END $$;
`;
