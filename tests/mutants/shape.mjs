// Wrong servers whose money is right and whose replies are not what a register reads.
import { Reply, money } from './message.mjs';
import { NOT_JSON, NO_REPLY, changedReply, isPayment } from './parts.mjs';

const isApproved = (request, reply) => isPayment(request) && reply.isApproved;
const isRefused = (request, reply) => isPayment(request) && reply.isRefused;
const isAnswered = (request, reply) => isPayment(request) && reply.json !== undefined;

/** Written with another length than it has, or with none; then the connection ends. */
const written = (length, behind = '') => (reply) =>
  reply.copy({
    deliver: (res) => {
      const told = length === undefined ? {} : { 'content-length': reply.body.length + length };
      res.useChunkedEncodingByDefault = false;
      res.writeHead(reply.status, { ...reply.headers, ...told, connection: 'close' });
      res.end(Buffer.concat([reply.body, Buffer.from(behind)]), () => res.socket?.end());
    },
  });

export default [
  {
    id: 'created-status',
    title: 'an approval comes with status 201',
    caughtBy: ['shape-status'],
    because: /the status is 201/,
    make: changedReply(isApproved, (reply) => reply.copy({ status: 201 })),
  },
  {
    id: 'refusal-status',
    title: 'a refusal comes with status 500',
    caughtBy: ['shape-status'],
    because: /the status is 500/,
    make: changedReply(isRefused, (reply) => reply.copy({ status: 500 })),
  },
  {
    id: 'html-type',
    title: 'JSON is called text/html',
    caughtBy: ['shape-content-type'],
    because: /the content type is "text\/html/,
    make: changedReply(isAnswered, (reply) => reply.withType('text/html; charset=utf-8')),
  },
  {
    id: 'no-type',
    title: 'replies have no content type',
    caughtBy: ['shape-content-type'],
    because: /the content type is ""/,
    make: changedReply(isAnswered, ({ status, body }) => new Reply({ status, headers: {}, body })),
  },
  {
    id: 'array-reply',
    title: 'the reply is an array with the object in it',
    caughtBy: ['shape-object'],
    because: /the reply is JSON, but no object/,
    make: changedReply(isAnswered, (reply) => reply.withBody(`[${reply.text}]`)),
  },
  {
    id: 'empty-reply',
    title: 'the reply is empty, with status 200',
    caughtBy: ['shape-object'],
    because: NOT_JSON,
    make: changedReply(isAnswered, (reply) => reply.copy({ status: 200, body: Buffer.alloc(0) })),
  },
  {
    id: 'byte-order-mark',
    title: 'a byte-order mark stands in front of the JSON',
    caughtBy: ['shape-object'],
    because: NOT_JSON,
    make: changedReply(isAnswered, (reply) => reply.withBody(`\ufeff${reply.text}`)),
  },
  {
    id: 'success-text',
    title: 'success is the text "true"',
    caughtBy: ['shape-success'],
    because: /"success" is missing, or is neither true nor false/,
    make: changedReply(isAnswered, (reply) => reply.with({ success: `"${reply.json.success}"` })),
  },
  {
    id: 'success-missing',
    title: 'success is left out',
    caughtBy: ['shape-success'],
    because: /"success" is missing, or is neither/,
    make: changedReply(isAnswered, (reply) => reply.without('success')),
  },
  {
    id: 'error-missing',
    title: 'a refusal does not say why',
    caughtBy: ['shape-error'],
    because: /refused without saying why: "error" is missing/,
    make: changedReply(isRefused, (reply) => reply.without('error')),
  },
  {
    id: 'error-object',
    title: 'a refusal says why in an object',
    caughtBy: ['shape-error'],
    because: /refused without saying why: "error" is no sentence/,
    make: changedReply(isRefused, (reply) => reply.edited((json) => ({ ...json, error: { message: json.error } }))),
  },
  {
    id: 'amount-with-currency',
    title: 'the amount is written with its currency',
    caughtBy: ['shape-amount'],
    because: /"amount" is no amount in cents: [\d.]+ AUD/,
    make: changedReply(isApproved, (reply) => reply.with({ amount: `"${money(reply.amount_minor)} AUD"` })),
  },
  {
    id: 'amount-missing',
    title: 'an approval does not say the amount',
    caughtBy: ['shape-amount'],
    because: /"amount" is no amount in cents: missing/,
    make: changedReply(isApproved, (reply) => reply.without('amount')),
  },
  {
    id: 'balance-null',
    title: 'the balance is null',
    caughtBy: ['shape-balance'],
    because: /"balance" is no amount in cents/,
    make: changedReply(isApproved, (reply) => reply.with({ balance: 'null' })),
  },
  {
    id: 'balance-missing',
    title: 'an approval does not say the balance',
    caughtBy: ['shape-balance'],
    because: /"balance" is no amount in cents: missing/,
    make: changedReply(isApproved, (reply) => reply.without('balance')),
  },
  {
    id: 'length-too-long',
    title: 'the length of a refusal promises ten bytes more than come',
    caughtBy: ['shape-length'],
    because: NO_REPLY,
    make: changedReply(isRefused, written(10)),
  },
  {
    id: 'bytes-behind-the-length',
    title: 'a line end follows behind the length that was told',
    caughtBy: ['shape-length'],
    because: /goes on behind the length/,
    make: changedReply(isAnswered, written(0, '\r\n')),
  },
  {
    id: 'length-missing',
    title: 'replies have no length; the end of the connection is their end',
    caughtBy: ['shape-length'],
    because: /no Content-Length and is not chunked/,
    make: changedReply(isAnswered, written(undefined)),
  },
];
