// One real counterpart with a fake cloud, and wrong servers in front of it: each gets a merchant, cards and a member
// of its own, so that several can be checked side by side, and `tillsim check` with all it asks for.
import fs from 'node:fs';
import path from 'node:path';
import { Loyalty, connect, startPair } from '../http/loyal.mjs';
import { TILLSIM, TOKEN, newTenant, run, temporaryDirectory } from '../http/support.mjs';
import { FAMILIES, NONE } from './mutants.mjs';
import { startProxy } from './proxy.mjs';

const CHECK_MS = 600_000;

export class Workshop {
  #reports = 0;

  static async start() {
    const workshop = new Workshop();
    Object.assign(workshop, await startPair());
    workshop.folder = temporaryDirectory();
    // The only merchant who is connected: redemptions need the cloud, and the cloud knows his company.
    workshop.connected = await newTenant(workshop.service, { token: TOKEN });
    await connect(workshop.service, workshop.cloud, workshop.connected);
    workshop.loyalty = new Loyalty(workshop.service, workshop.cloud, workshop.connected);
    await workshop.loyalty.addReward();
    return workshop;
  }

  async stop() {
    await this.service.verifyIsClean();
    await this.service.stop();
    await this.cloud.stop();
  }

  /** The arguments that say with what to check: cards of this merchant's. */
  async #cards(tenant) {
    const issue = async (options) => (await tenant.issue(options)).number;
    const pin = '4711';
    return [
      ...['--company', String(tenant.company), '--card', await issue({ amount: '100.00' })],
      ...['--empty-card', await issue({ amount: '0.00' })],
      ...['--pin-card', `${await issue({ amount: '50.00', pin })}*${pin}`],
      ...['--stock-card', await issue({ settings: ['--stock'] })],
    ];
  }

  /** And a member of his own name. */
  async #member() {
    const last = `Kent${++this.#reports}`;
    await this.loyalty.addMember({ last, points: 100_000 });
    return ['--keyword', last, '--cloud', this.cloud.urls.url];
  }

  /**
   * `tillsim check` against a mutant: {code, stdout, stderr, errors (of the proxy), cases: Map of id -> case}.
   * only: ids; none: all.
   */
  async check(mutant, { only = [], more = [] } = {}) {
    const isLoyal = FAMILIES.loyalty.includes(mutant) || mutant === NONE;
    const tenant = isLoyal ? this.connected : await newTenant(this.service, { token: TOKEN });
    const proxy = await startProxy({ target: this.service.origin + tenant.base, token: TOKEN, mutant });
    const report = path.join(this.folder, `${mutant.id}-${++this.#reports}.json`);
    const ended = await run(
      TILLSIM,
      [
        ...['check', '--target', proxy.url, '--token', TOKEN, '--profile', 'strict', '--report-json', report],
        ...(await this.#cards(tenant)),
        ...(isLoyal ? await this.#member() : []),
        ...more,
        ...(only.length > 0 ? ['--only', ...only] : []),
      ],
      { ms: CHECK_MS },
    );
    await proxy.close();
    const json = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, 'utf8')) : { cases: [] };
    return { ...ended, errors: proxy.errors, cases: new Map(json.cases.map((each) => [each.id, each])) };
  }
}

export const failedCases = (result) =>
  [...result.cases.values()].filter(({ outcome }) => outcome === 'failed').map(({ id }) => id);
