// Wrong servers that do not answer once: what a cashier presses again costs again, or is not let through.
import { Reply, cents, otherOrder } from './message.mjs';
import { GATHER_MS, is, isCheckout, otherBalance, refusedAs, repeatedAnew, sleep } from './parts.mjs';

const FORGETS_MS = 1000;

/** Keeps the first reply of each key, and hands it out changed (or not) when the request comes again. */
const remembered =
  (key, { keeps = () => true, again = (reply) => reply } = {}) =>
  () => {
    const replies = new Map();
    return async (request, next) => {
      if (!isCheckout(request) || !request.isSigned) return next(request);
      const first = replies.get(key(request));
      if (first) return again(first, request, next);
      const reply = await next(request);
      if (keeps(reply)) replies.set(key(request), reply);
      return reply;
    };
  };

const identity = (request) => request.identity;

/** Copies that arrive while the first is under way are charged too, and answered as the first. */
const bothCharged = () => {
  const underWay = new Map(); // identity -> the first reply, a promise
  return async (request, next) => {
    if (!isCheckout(request)) return next(request);
    const first = underWay.get(request.identity);
    if (first) {
      await next(request.withOtherOrder());
      return first;
    }
    const reply = sleep(GATHER_MS).then(() => next(request));
    underWay.set(request.identity, reply);
    await reply;
    underWay.delete(request.identity);
    return reply;
  };
};

/** An answer counts as given only when the register was there to take it. */
const undeliveredForgotten = () => {
  const lost = new Set();
  return async (request, next) => {
    if (!isCheckout(request)) return next(request);
    const reply = await next(lost.has(request.identity) ? request.withOtherOrder() : request);
    await sleep(GATHER_MS);
    if (request.wire.isGone) lost.add(request.identity);
    return reply;
  };
};

export default [
  {
    id: 'double-charge',
    title: 'a repeated charge is charged again',
    caughtBy: ['once-retry'],
    because: /the same request was answered as \S+, then as \S+/,
    make: repeatedAnew(isCheckout),
  },
  {
    id: 'hidden-double-charge',
    title: 'a repeated charge is charged again, and answered as if it were not',
    caughtBy: ['once-retry'],
    because: otherBalance('after the same charge of 0.30 twice'),
    make: repeatedAnew(isCheckout, { hides: true }),
  },
  {
    id: 'retry-in-other-words',
    title: 'a repeated charge moves nothing, but is answered with another reference',
    caughtBy: ['once-retry'],
    because: /the same request was answered as \S+, then as MU-/,
    make: remembered(identity, {
      keeps: (reply) => reply.isApproved,
      again: (first) => first.with({ reference_id: `"MU-${otherOrder()}"` }),
    }),
  },
  {
    id: 'retry-refused',
    title: 'a repeated charge is refused as already paid',
    caughtBy: ['once-retry'],
    because: /the second answer to the same request is a refusal: This order is paid already/,
    make: remembered(identity, {
      keeps: (reply) => reply.isApproved,
      again: () => Reply.refusal('This order is paid already'),
    }),
  },
  {
    id: 'short-memory',
    title: 'a charge that is repeated after more than a second is charged again',
    caughtBy: ['once-retry-later'],
    because: otherBalance('asked again four seconds later'),
    make: repeatedAnew(isCheckout, { isRepetition: ({ at }) => Date.now() - at > FORGETS_MS, hides: true }),
  },
  {
    id: 'copies-both-charge',
    title: 'copies that come at the same moment are all charged',
    caughtBy: ['once-concurrent'],
    because: otherBalance('after the same charge of 0.30 six times at once'),
    make: bothCharged,
  },
  {
    id: 'order-answered-once',
    title: 'another amount on the same order gets the answer of the first amount',
    caughtBy: ['once-other-amount'],
    because: /0\.30 was asked, the reply says 0\.20/,
    make: remembered((request) => `${request.order} ${request.card}`, { keeps: (reply) => reply.isApproved }),
  },
  {
    id: 'order-charged-once',
    title: 'another amount on the same order is approved and not charged',
    caughtBy: ['once-other-amount'],
    because: /charges of 0\.20 and 0\.30 on one sale were approved, and moved 0\.20/,
    make: () => {
      const paid = new Map(); // order and card -> the amount
      return async (request, next) => {
        const key = `${request.order} ${request.card}`;
        const asked = cents(request.asked);
        if (isCheckout(request) && paid.has(key) && paid.get(key) !== asked) return Reply.approval(asked, 0);
        const reply = await next(request);
        if (isCheckout(request) && reply.isApproved) paid.set(key, asked);
        return reply;
      };
    },
  },
  {
    id: 'card-answered-once',
    title: 'the same amount on another order gets the answer of the first order',
    caughtBy: ['once-other-order'],
    because: otherBalance('after 0.30 on each of two sales'),
    make: remembered((request) => `${request.card} ${cents(request.asked)}`, { keeps: (reply) => reply.isApproved }),
  },
  {
    id: 'decline-remembered',
    title: 'a refusal is given again, although the card was loaded since',
    caughtBy: ['once-decline-then-funds'],
    because: refusedAs('.*balance'),
    make: remembered(identity, { keeps: (reply) => reply.isRefused }),
  },
  {
    id: 'register-in-identity',
    title: 'the same charge from a second register is charged again',
    caughtBy: ['once-other-register'],
    because: otherBalance('after the same sale was charged from two registers'),
    make: repeatedAnew(isCheckout, {
      hides: true,
      isRepetition: (first, request) => first.request.fields.register_id !== request.fields.register_id,
    }),
  },
  {
    id: 'double-refund',
    title: 'a repeated refund is given again',
    caughtBy: ['once-refund-retry'],
    because: otherBalance('the same refund of 0.20 twice'),
    make: repeatedAnew(is('refund'), { hides: true }),
  },
  {
    id: 'double-top-up',
    title: 'a repeated top-up is loaded again',
    caughtBy: ['once-top-up-retry'],
    because: otherBalance('after the same top-up of 0.30 twice'),
    make: repeatedAnew(is('top-up')),
  },
  {
    id: 'undelivered-forgotten',
    title: 'a charge whose reply reached nobody is charged again when it comes again',
    caughtBy: ['client-gone-before-reply'],
    because: otherBalance('after a charge whose first reply was lost'),
    make: undeliveredForgotten,
  },
];
