// Wrong servers that get along with fast and tidy clients only, or are too slow for any.
import { Reply } from './message.mjs';
import { is, isCheckout, isLook, isPayment, sleep } from './parts.mjs';

/** Longer than a pause between two parts of one body that were sent together. */
const PATIENCE_MS = 100;
const SLOW_LOOK_MS = 2500;
const SLOW_CHECKOUT_MS = 5000;
const STUCK_MS = 30_000;

const isWhole = (head) => head.includes('\r\n\r\n');

export default [
  {
    id: 'slow-body-half-read',
    title: 'of a body that comes in pieces, with pauses, only the first is read',
    caughtBy: ['client-slow-body'],
    make: () => (request, next) =>
      isPayment(request) && request.wire.took_ms > PATIENCE_MS
        ? next(request.withBody(request.body.subarray(0, request.body.length / 2)))
        : next(request),
  },
  {
    id: 'head-in-one-piece',
    title: 'a head that comes in pieces ends the connection',
    caughtBy: ['client-split-head'],
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
    id: 'second-request-lost',
    title: 'the second request of a connection gets no reply',
    caughtBy: ['client-keep-alive'],
    make: () => (request, next) => (request.wire.nth > 1 ? Reply.reset() : next(request)),
  },
  {
    id: 'chunks-not-read',
    title: 'a body that comes in chunks, without a length, is taken for an empty one',
    caughtBy: ['client-chunked'],
    make: () => (request, next) => next(request.wire.isChunked ? request.withBody('') : request),
  },
  {
    id: 'slow-look',
    title: `a look at the balance takes ${SLOW_LOOK_MS / 1000} s`,
    caughtBy: ['latency-check-balance'],
    make: () => async (request, next) => {
      if (isLook(request)) await sleep(SLOW_LOOK_MS);
      return next(request);
    },
  },
  {
    id: 'slow-checkout',
    title: `a charge takes ${SLOW_CHECKOUT_MS / 1000} s`,
    caughtBy: ['latency-checkout'],
    make: () => async (request, next) => {
      if (isCheckout(request)) await sleep(SLOW_CHECKOUT_MS);
      return next(request);
    },
  },
];
