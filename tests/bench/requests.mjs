// Writes signed requests for wrk: raw HTTP/1.1, all of one length, cards drawn by Zipf's law (exponent 1).
import { createHmac } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

/** Numbers from 0 to below 1. Deterministic, so that runs compare. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0; // mulberry32
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws 0..count-1, each as often as any other. */
export function uniform(count, seed = 1) {
  const next = random(seed);
  return () => Math.floor(next() * count);
}

/** Draws 0..count-1, the k-th most popular with weight 1/k. */
export function zipf(count, seed = 1) {
  const reach = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) reach[i] = sum += 1 / (i + 1);
  const next = random(seed);
  return () => {
    const wanted = next() * sum;
    let low = 0, high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (reach[middle] < wanted) low = middle + 1; else high = middle;
    }
    return low;
  };
}

export function rawRequest({ path, token, body }) {
  const signature = createHmac('sha256', token).update(body).digest('hex');
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`
    + `X-Kounta-Signature: ${signature}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** GETs of one length: what is shorter is filled up in a header that nobody reads. The record length in bytes. */
export function writeGets(file, count, targetOf) {
  const targets = Array.from({ length: count }, (_, i) => targetOf(i));
  const longest = targets.reduce((length, target) => Math.max(length, target.length), 0);
  const records = targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Fill: ${'x'.repeat(longest - target.length)}\r\n\r\n`);
  const out = openSync(file, 'w');
  for (let i = 0; i < count; i += 4096) writeSync(out, records.slice(i, i + 4096).join(''));
  closeSync(out);
  return records[0].length;
}

/** The record length in bytes. bodyOf(i) must give bodies of equal length. */
export function writeRequests(file, count, { path, token }, bodyOf) {
  const out = openSync(file, 'w');
  let length = 0, part = [];
  for (let i = 0; i < count; i++) {
    const record = rawRequest({ path, token, body: bodyOf(i) });
    length ||= record.length;
    if (record.length !== length) throw new Error(`record ${i} has ${record.length} bytes, not ${length}`);
    part.push(record);
    if (part.length === 4096 || i === count - 1) {
      writeSync(out, part.join(''));
      part = [];
    }
  }
  closeSync(out);
  return length;
}
