// What the wrong servers are put together from.
import { Reply } from './message.mjs';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What several failures say.
export const NOT_JSON = /is not JSON$/;
export const NO_REPLY = /no usable reply: /;
export const APPROVED = /approved \("success":true\), and should not be$/;
/** After what was asked, the card has something else than it should. */
export const otherBalance = (after) => new RegExp(`${after} the card should have [\\d.]+, and has [\\d.]+$`);
export const refusedAs = (words) => new RegExp(`refused: ${words}|is not told: ${words}|is not known: ${words}`);

const PAYMENTS = ['checkout', 'check-balance', 'top-up', 'refund'];

/** Is it a request for one of these actions, well formed enough to be acted upon? */
export const is =
  (...actions) =>
  (request) =>
    actions.includes(request.action) && request.method === 'POST' && request.fields !== undefined;
export const isPayment = is(...PAYMENTS);
export const isMoney = is('checkout', 'top-up', 'refund');
export const isCheckout = is('checkout');
export const isLook = is('check-balance');
export const isSearch = ({ action }) => action === 'customer-search';
export const isLookup = ({ action }) => action === 'reward-lookup';
export const isRedeem = ({ action }) => action === 'redeem';

/** Passes everything on; what the real server says is changed where it applies. */
export const changedReply = (applies, change) => () => async (request, next) => {
  const reply = await next(request);
  return applies(request, reply) ? change(reply, request) : reply;
};

/** The real server is asked something else. */
export const changedRequest = (applies, change) => () => (request, next) =>
  next(applies(request) ? change(request) : request);

/** The real server is not asked at all. */
export const answered = (applies, answer) => () => (request, next) =>
  applies(request) ? answer(request) : next(request);

/** An error page, as frameworks make them. */
export const page = (status, title) => () => Reply.page(status, `<html><body><h1>${title}</h1></body></html>\n`);
export const plain = (status, text) => () => Reply.page(status, text, 'text/plain');
export const refusal = (error) => () => Reply.refusal(error);

/**
 * Sends every repetition of a request on with an order id of its own, so that the real server takes it for a new one:
 * what a server without a memory does. isRepetition(first, request) may let some pass. hides: the repetition is
 * answered as the first was, so that only the balance shows it.
 */
export const repeatedAnew =
  (applies, { isRepetition = () => true, hides = false } = {}) =>
  () => {
    const seen = new Map(); // identity -> {at, request, reply (a promise)}
    return async (request, next) => {
      if (!applies(request)) return next(request);
      const first = seen.get(request.identity);
      if (first) {
        const isAnew = isRepetition(first, request);
        const reply = await next(isAnew ? request.withOtherOrder() : request);
        return isAnew && hides ? first.reply : reply;
      }
      const reply = next(request);
      seen.set(request.identity, { at: Date.now(), request, reply });
      return reply;
    };
  };

/** How long a wrong server waits for others to arrive at the same time. */
export const GATHER_MS = 150;
