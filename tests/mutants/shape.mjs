// Wrong servers whose money is right and whose replies are not what a register reads.
import { Reply } from './message.mjs';
import { changedReply, isPayment } from './parts.mjs';

const isApproved = (request, reply) => isPayment(request) && reply.isApproved;
const isRefused = (request, reply) => isPayment(request) && reply.isRefused;
const isAnswered = (request, reply) => isPayment(request) && reply.json !== undefined;

/** A length that is off by some bytes; the connection ends, or the register would wait for ever. */
const withLength = (off) => (reply) =>
  reply.copy({
    deliver: (res) => {
      res.writeHead(reply.status, { ...reply.headers, 'content-length': reply.body.length + off, connection: 'close' });
      res.end(reply.body, () => res.socket?.end());
    },
  });

export default [
  {
    id: 'created-status',
    title: 'an approval comes with status 201',
    caughtBy: ['shape-status'],
    make: changedReply(isApproved, (reply) => reply.copy({ status: 201 })),
  },
  {
    id: 'refusal-status',
    title: 'a refusal comes with status 500',
    caughtBy: ['shape-status'],
    make: changedReply(isRefused, (reply) => reply.copy({ status: 500 })),
  },
  {
    id: 'html-type',
    title: 'JSON is called text/html',
    caughtBy: ['shape-content-type'],
    make: changedReply(isAnswered, (reply) => reply.withType('text/html; charset=utf-8')),
  },
  {
    id: 'no-type',
    title: 'replies have no content type',
    caughtBy: ['shape-content-type'],
    make: changedReply(isAnswered, ({ status, body }) => new Reply({ status, headers: {}, body })),
  },
  {
    id: 'array-reply',
    title: 'the reply is an array with the object in it',
    caughtBy: ['shape-object'],
    make: changedReply(isAnswered, (reply) => reply.withBody(`[${reply.text}]`)),
  },
  {
    id: 'empty-reply',
    title: 'the reply is empty, with status 200',
    caughtBy: ['shape-object'],
    make: changedReply(isAnswered, (reply) => reply.copy({ status: 200, body: Buffer.alloc(0) })),
  },
  {
    id: 'byte-order-mark',
    title: 'a byte-order mark stands in front of the JSON',
    caughtBy: ['shape-object'],
    make: changedReply(isAnswered, (reply) => reply.withBody(`\ufeff${reply.text}`)),
  },
  {
    id: 'success-text',
    title: 'success is the text "true"',
    caughtBy: ['shape-success'],
    make: changedReply(isAnswered, (reply) => reply.with({ success: `"${reply.json.success}"` })),
  },
  {
    id: 'success-missing',
    title: 'success is left out',
    caughtBy: ['shape-success'],
    make: changedReply(isAnswered, (reply) => reply.without('success')),
  },
  {
    id: 'error-missing',
    title: 'a refusal does not say why',
    caughtBy: ['shape-error'],
    make: changedReply(isRefused, (reply) => reply.without('error')),
  },
  {
    id: 'error-object',
    title: 'a refusal says why in an object',
    caughtBy: ['shape-error'],
    make: changedReply(isRefused, (reply) => reply.edited((json) => ({ ...json, error: { message: json.error } }))),
  },
  {
    id: 'amount-text',
    title: 'the amount is written as a text',
    caughtBy: ['shape-amount'],
    make: changedReply(isApproved, (reply) => reply.with({ amount: `"${reply.json.amount}"` })),
  },
  {
    id: 'amount-missing',
    title: 'an approval does not say the amount',
    caughtBy: ['shape-amount'],
    make: changedReply(isApproved, (reply) => reply.without('amount')),
  },
  {
    id: 'balance-null',
    title: 'the balance is null',
    caughtBy: ['shape-balance'],
    make: changedReply(isApproved, (reply) => reply.with({ balance: 'null' })),
  },
  {
    id: 'balance-missing',
    title: 'an approval does not say the balance',
    caughtBy: ['shape-balance'],
    make: changedReply(isApproved, (reply) => reply.without('balance')),
  },
  {
    id: 'length-too-long',
    title: 'the length promises ten bytes more than come',
    caughtBy: ['shape-length'],
    make: changedReply(isAnswered, withLength(10)),
  },
  {
    id: 'length-too-short',
    title: 'the length promises ten bytes less than come',
    caughtBy: ['shape-length'],
    make: changedReply(isAnswered, withLength(-10)),
  },
];
