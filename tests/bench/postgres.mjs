// The rows of ./dev bench on PostgreSQL: the service against plain SQL in one transaction for each checkout (eight
// statements; one call of a function) behind the same HTTP, and against the service a developer would write in an
// afternoon (node/). All of them on one PostgreSQL, which keeps every commit on the disk before it answers. The bounds
// are those of a PostgreSQL without a replica: waiting for one, larger batches gain more.
import { CONNECTIONS, Stage } from './postgres_stage.mjs';

const FORMS = { eight: 'eight statements', call: 'one call' };
const DATABASE_CONNECTIONS = [8, 16, 32, 64]; // what the baselines are tried with

export class SharedStore {
  constructor(tools) {
    Object.assign(this, { tools, best: {}, labels: [] });
  }

  async measure() {
    this.redis = await this.tools.Redis.start();
    await this.#compare('pg', false);
    await this.redis.send('FLUSHALL');
    await this.#compare('pg+replica', true);
    this.redis.child.kill('SIGTERM');
  }

  async #stage(label, replica) {
    this.tools.note(`PostgreSQL${replica ? ' with a replica that every commit waits for' : ''}`);
    const stage = new Stage(this.tools, label);
    await stage.start(replica);
    this.labels.push(label);
    return stage;
  }

  /** All subjects on one cluster; how processes share it, and how it grows, is measured where no replica is waited for. */
  async #compare(label, replica) {
    const { CARDS, ROUNDS } = this.tools;
    const stage = await this.#stage(label, replica);
    const store = await stage.fillStore('cards', CARDS);
    await stage.fillBaseline('baseline');
    const kinds = replica ? ['zipf'] : ['zipf', 'uniform'];
    store.records = stage.prepareRequests('charges', store.key, CARDS, ROUNDS + 1, kinds);
    if (!replica)
      for (const form of Object.keys(FORMS)) this.best[form] = await this.#tryConnections(stage, form, store.records);
    const subjects = [await stage.addServices('counterpart', store)];
    if (!replica) {
      subjects.push(await stage.addServices('one committer', store, { committers: 1 }));
      subjects.push(await stage.addServices('counterpart, Redis', store, { redis: this.redis }));
      for (const count of [2, 4])
        subjects.push(await stage.addServices(`counterpart x${count}`, store, { count, redis: this.redis }));
    }
    for (const [form, name] of Object.entries(FORMS))
      subjects.push(await stage.addBaseline(name, form, this.best[form]));
    this.workers = stage.serverCount;
    for (const workers of [1, this.workers])
      subjects.push(await stage.addNode(`node x${workers}`, workers, this.redis));
    await stage.measureAll(subjects, kinds, () => store.records);
    await stage.finishSubjects();
    if (!replica) await this.#grow(stage, store);
    await stage.finish();
  }

  /** How many connections to the database give a baseline its best rate? */
  async #tryConnections(stage, form, records) {
    const { keep, results } = this.tools;
    const rates = new Map();
    for (const connections of DATABASE_CONNECTIONS) {
      const name = `${FORMS[form]} by ${connections}`;
      const subject = await stage.addBaseline(name, form, connections);
      await stage.measure(subject, 'zipf', records);
      const result = await stage.measure(subject, 'zipf', records); // the second: the caches are filled
      keep(`${stage.label} ${name}/zipf ${CONNECTIONS}`, result);
      rates.set(connections, result.rate);
      await stage.finishSubjects();
    }
    return [...rates].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
  }

  async #grow(stage, store) {
    const { MANY, ROUNDS, note } = this.tools;
    note(`${MANY} cards`);
    const large = await stage.fillStore('large', MANY);
    large.records = stage.prepareRequests('large', large.key, MANY, ROUNDS + 1);
    const records = new Map();
    for (const [name, of] of Object.entries({ few: store, many: large })) {
      const subject = await stage.addServices(name, of, { isLarge: of === large });
      records.set(subject, of.records);
    }
    await stage.measureAll([...records.keys()], ['zipf', 'uniform'], (subject) => records.get(subject));
  }

  // --- the table -------------------------------------------------------------------------------------------------

  #over(label, a, b, kind) {
    return this.tools.ratio(`${label} ${a}/${kind} ${CONNECTIONS}`, `${label} ${b}/${kind} ${CONNECTIONS}`, 'rate');
  }

  #row(what, value, bound) {
    this.tools.row(
      what,
      value.toFixed(2),
      bound === undefined ? 'shown' : `>= ${bound}`,
      bound === undefined || value >= bound,
    );
  }

  table() {
    const { CORES, MANY, CARDS, results, median } = this.tools;
    const node = `node x${this.workers}`;
    const baselines = [
      [FORMS.eight, 5, `eight statements, ${this.best.eight} connections`],
      [FORMS.call, 3, `one call, ${this.best.call} connections`],
      [node, 8, `node, ${this.workers} processes`],
      ['node x1', undefined, 'node, 1 process'],
    ];
    console.log(
      `\nPostgreSQL, checkouts/s at ${CONNECTIONS} connections; one core for the load, ${CORES - 1} for the rest\n`,
    );
    for (const label of this.labels)
      for (const kind of label === 'pg' ? ['zipf', 'uniform'] : ['zipf'])
        for (const [name, bound, words] of baselines)
          this.#row(
            `${kind}${label === 'pg' ? '' : ', replica'}: over ${words}`,
            this.#over(label, 'counterpart', name, kind),
            label === 'pg' && kind === 'zipf' ? bound : undefined,
          );
    for (const kind of ['zipf', 'uniform'])
      this.#row(
        `${kind}: as many committers as is the default over one`,
        this.#over('pg', 'counterpart', 'one committer', kind),
      );
    for (const kind of ['zipf', 'uniform'])
      this.#row(`${kind}: with Redis over without`, this.#over('pg', 'counterpart, Redis', 'counterpart', kind));
    // Two processes need cores of their own to be faster than one.
    const wanted = { zipf: { 2: 0.9 }, uniform: { 2: CORES >= 8 ? 1.3 : undefined } };
    for (const kind of ['zipf', 'uniform'])
      for (const count of [2, 4])
        this.#row(
          `${kind}: ${count} processes over 1`,
          this.#over('pg', `counterpart x${count}`, 'counterpart, Redis', kind),
          wanted[kind][count],
        );
    for (const kind of ['zipf', 'uniform'])
      this.#row(
        `${kind}: ${MANY} cards over ${CARDS}`,
        this.#over('pg', 'many', 'few', kind),
        kind === 'zipf' ? 0.7 : undefined,
      );
    // What a busy machine shifts less than rates, where many sessions of a baseline crowd out few of the service.
    for (const name of [FORMS.eight, FORMS.call, node])
      this.#row(
        `zipf: CPU a checkout, ${name} over counterpart`,
        this.tools.ratio(`pg ${name}/zipf ${CONNECTIONS}`, `pg counterpart/zipf ${CONNECTIONS}`, 'cpu'),
      );
    const cpu = (name, field) => median(results.get(`pg ${name}/zipf ${CONNECTIONS}`).map((result) => result[field]));
    for (const name of ['counterpart', 'one committer', 'counterpart x2', FORMS.eight, FORMS.call, node])
      this.tools.row(
        `zipf: CPU a checkout, ${name} (of it PostgreSQL's)`,
        `${cpu(name, 'cpu').toFixed(0)} us (${cpu(name, 'databaseCpu').toFixed(0)})`,
        'shown',
        true,
      );
  }
}
