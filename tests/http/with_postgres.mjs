// Runs a command beside a PostgreSQL cluster for the suites, a primary and a replica that every commit waits for:
// with_postgres.mjs COMMAND [ARGUMENT...]. The cluster ends with the command, whose exit status is passed on.
import { spawn } from 'node:child_process';
import { Postgres } from './postgres.mjs';

const [command, ...args] = process.argv.slice(2);
// Several suites at once, each with several services, each with its own connections.
const cluster = await Postgres.start({ replica: true, settings: ['max_connections = 400', 'shared_buffers = 128MB'] });
const child = spawn(command, args, {
  stdio: 'inherit',
  env: {
    ...process.env,
    COUNTERPART_TEST_STORE: 'postgresql',
    COUNTERPART_TEST_POSTGRESQL: cluster.adminUrl,
  },
});
process.on('exit', () => child.kill());
child.once('error', (error) => {
  console.error(`${command}: ${error.message}`);
  process.exit(1);
});
child.once('close', async (code) => {
  await cluster.stop();
  process.exit(code ?? 1);
});
