// Wrong servers that get along with fast and tidy clients only, or are too slow for any.
import { Reply } from './message.mjs';
import {
  NOT_JSON,
  NO_REPLY,
  answered,
  isCheckout,
  isLook,
  isPayment,
  otherBalance,
  plain,
  refusedAs,
  sleep,
} from './parts.mjs';

/** Longer than a pause between two parts of one body that were sent together. */
const PATIENCE_MS = 100;
const SLOW_LOOK_MS = 1200;
const SLOW_CHECKOUT_MS = 4200;
const SLOW_EVERY = 5;
const STUCK_MS = 30_000;

/** What came whole of a body, with the amount that came with it or a dollar. */
function mended(text) {
  const fields = [...text.matchAll(/"(\w+)":("[^"]*"|\d+),/g)].map(([, name, value]) => `"${name}":${value}`);
  return `{${fields.join(',')},"amount":1.00}`;
}

const isWhole = (head) => head.includes('\r\n\r\n');

export default [
  {
    id: 'slow-body-half-read',
    title: 'of a body that comes in pieces, with pauses, only the first is read',
    caughtBy: ['client-slow-body'],
    because: refusedAs(''),
    make: () => (request, next) =>
      isPayment(request) && request.wire.took_ms > PATIENCE_MS
        ? next(request.withBody(request.body.subarray(0, request.body.length / 2)))
        : next(request),
  },
  {
    id: 'head-in-one-piece',
    title: 'a head that comes in pieces ends the connection',
    caughtBy: ['client-split-head'],
    because: NO_REPLY,
    make: () => ({
      answer: (request, next) => next(request),
      onConnection: (socket) =>
        socket.once('data', (first) => {
          if (!isWhole(first)) socket.destroy();
        }),
    }),
  },
  {
    id: 'stuck-after-a-cut',
    title: 'a client that leaves in the middle of its request holds up all others',
    caughtBy: ['client-cut-body'],
    because: NO_REPLY,
    isSlow: true,
    make: () => {
      let until = 0;
      return {
        answer: async (request, next) => {
          await sleep(Math.max(0, until - Date.now()));
          return next(request);
        },
        onCut: () => {
          until = Date.now() + STUCK_MS;
        },
      };
    },
  },
  {
    id: 'half-body-served',
    title: 'a charge whose body broke off is made all the same, of one dollar where the amount is not there',
    caughtBy: ['client-cut-body'],
    because: otherBalance('after a charge that never came whole'),
    make: () => ({
      answer: (request, next) => next(request),
      onCut: (request, next) => next(request.withBody(mended(request.text)).signed()),
    }),
  },
  {
    id: 'second-request-lost',
    title: 'the second request of a connection gets no reply',
    caughtBy: ['client-keep-alive'],
    because: NO_REPLY,
    make: () => (request, next) => (request.wire.nth > 1 ? Reply.reset() : next(request)),
  },
  {
    id: 'chunks-not-read',
    title: 'a body that comes in chunks, without a length, is taken for an empty one',
    caughtBy: ['client-chunked'],
    because: refusedAs(''),
    make: () => (request, next) => next(request.wire.isChunked ? request.withBody('') : request),
  },
  {
    id: 'expect-refused',
    title: 'a request that expects "100 Continue" gets a text page with status 417',
    caughtBy: ['client-expect-continue'],
    because: NOT_JSON,
    make: answered(({ wire }) => wire.isExpecting, plain(417, 'Expectation Failed\n')),
  },
  {
    id: 'slow-look',
    title: `a look at the balance takes ${SLOW_LOOK_MS / 1000} s`,
    caughtBy: ['latency-check-balance'],
    because: /half of the answers took \d+ ms or more/,
    isSlow: true,
    make: () => async (request, next) => {
      if (isLook(request)) await sleep(SLOW_LOOK_MS);
      return next(request);
    },
  },
  {
    id: 'slow-checkout',
    title: `every fifth charge takes ${SLOW_CHECKOUT_MS / 1000} s`,
    caughtBy: ['latency-checkout'],
    because: /the slowest answer took \d+ ms/,
    isSlow: true,
    make: () => {
      let count = 0;
      return async (request, next) => {
        if (isCheckout(request) && ++count % SLOW_EVERY === 0) await sleep(SLOW_CHECKOUT_MS);
        return next(request);
      };
    },
  },
];
