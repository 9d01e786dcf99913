// Searching among many members (members.mjs says how they are made), over HTTP as registers do.
//
// The query mix is a guess at a counter's day; each kind is also measured alone, one request at a time. Whom a query is
// about is drawn evenly from all members, so common names are asked for as often as they occur:
//   share  kind               what is typed, for John Smith-Jones, john.smithjones2@post.example.net, +61 410 096 542
//    25 %  first name         the first 1 to all letters of it: "jo"
//    15 %  full name          "john smith-jones"
//    15 %  surname, initial   "smith-jones j"
//     8 %  e-mail             its first 4 characters and more: "john.smith"
//    15 %  phone              its first 6 characters and more, as it is stored: "+61 41"
//     7 %  code               whole: "C1000002"
//     5 %  card number        its first 6 characters and more: "603610"
//     3 %  short words        two letters of each name: "jo sm"
//     5 %  typing error       one letter of one name wrong, missing, added or swapped with the next: "jhon smith-jones"
//     2 %  nobody             letters that no name has
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { memberSource } from './members.mjs';
import { writeGets } from './requests.mjs';

const SAMPLE = 20_000; // members that queries are about
const QUERIES = 20_000; // prepared of each kind, of which wrk sends some again
const MIX_CONNECTIONS = 8;
const PACE_PER_S = 500; // searches beside which checkouts are measured: a thousand busy registers, one every two seconds
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** Deterministic draws of 0..n-1. */
function drawer(seed) {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

function mistype(word, draw) {
  const at = draw(word.length), letter = LETTERS[draw(26)];
  const [before, here, after] = [word.slice(0, at), word[at], word.slice(at + 1)];
  return [before + after, before + letter + here + after, before + letter + after,
    after === '' ? before + letter : before + after[0] + here + after.slice(1)][draw(4)];
}

const front = (text, least, draw) => text.slice(0, least + draw(Math.max(1, text.length - least + 1)));
const KINDS = {
  'first name': [25, (m, draw) => front(m.first_name, 1, draw)],
  'full name': [15, (m) => `${m.first_name} ${m.last_name}`],
  'surname, initial': [15, (m) => `${m.last_name} ${m.first_name[0]}`],
  'e-mail': [8, (m, draw) => front(m.email, 4, draw)],
  phone: [15, (m, draw) => front(m.phone, 6, draw)],
  code: [7, (m) => m.code],
  'card number': [5, (m, draw) => front(m.card_number, 6, draw)],
  'short words': [3, (m) => `${m.first_name.slice(0, 2)} ${m.last_name.slice(0, 2)}`],
  'typing error': [5, (m, draw) => (m.first_name.length > m.last_name.length || m.last_name.length < 4
    ? `${mistype(m.first_name.padEnd(4, 'x'), draw)} ${m.last_name}` : `${m.first_name} ${mistype(m.last_name, draw)}`)],
  nobody: [2, (m, draw) => `${LETTERS[draw(26)]}qx${draw(1000)} zzq`],
};

function sampleMembers(count) {
  const member = memberSource(), step = Math.max(1, Math.floor(count / SAMPLE)), sample = [];
  for (let i = 0; i < count; i++) {
    const row = member(i);
    if (i % step === 0) sample.push(row);
  }
  return sample;
}

function* drawMix(sample, draw) {
  const wheel = Object.entries(KINDS).flatMap(([kind, [share]]) => Array(share).fill(kind));
  for (;;) yield KINDS[wheel[draw(wheel.length)]][1](sample[draw(sample.length)], draw);
}

export class Searches {
  constructor({ work, key, count, Records }) {
    this.path = `/oseries/${key}/customer-search`;
    this.sample = sampleMembers(count);
    this.draw = drawer(11);
    this.write = (name, queryOf) => {
      const file = join(work, `search-${name.replace(/\W/g, '')}.requests`);
      return new Records(file, writeGets(file, QUERIES, () => this.target(queryOf())), QUERIES);
    };
    this.mix = drawMix(this.sample, this.draw);
  }
  target(keyword) {
    return `${this.path}?keyword=${encodeURIComponent(keyword)}&site_id=923&company_id=5678&order_id=111`;
  }
  kinds() {
    return Object.entries(KINDS).map(([kind, [, queryOf]]) =>
      [kind, this.write(kind, () => queryOf(this.sample[this.draw(this.sample.length)], this.draw))]);
  }
  records() {
    return this.write('mix', () => this.mix.next().value);
  }

  /** Sends the mix at a fixed pace until stopped; then {sent, late}: late are those not answered within 100 ms. */
  pace(port) {
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    const counts = { sent: 0, late: 0, failed: 0 };
    const begin = process.hrtime.bigint();
    const send = () => {
      const at = Date.now();
      const req = request({ host: '127.0.0.1', port, path: this.target(this.mix.next().value), agent }, (res) => {
        if (res.statusCode !== 200) counts.failed++;
        res.resume().on('end', () => { if (Date.now() - at > 100) counts.late++; });
      });
      req.once('error', () => counts.failed++);
      req.end();
      counts.sent++;
    };
    const timer = setInterval(() => {
      const due = Number((process.hrtime.bigint() - begin) / 1000n) * (PACE_PER_S / 1e6);
      while (counts.sent < due) send();
    }, 2);
    return { stop: () => { clearInterval(timer); setTimeout(() => agent.destroy(), 500); return counts; } };
  }
}

export { KINDS, MIX_CONNECTIONS, PACE_PER_S };
