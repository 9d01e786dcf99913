// Wrong servers that read amounts or keep balances wrongly.
import { Reply, cents, money } from './message.mjs';
import {
  GATHER_MS,
  answered,
  changedReply,
  changedRequest,
  is,
  isCheckout,
  isLook,
  isMoney,
  refusal,
  sleep,
} from './parts.mjs';

const isApprovedCheckout = (request, reply) => isCheckout(request) && reply.isApproved;
const isTopUp = is('top-up');
const isRefund = is('refund');
const hasNoFunds = (reply) => reply.isRefused && /balance|funds|empty|left/i.test(reply.json.error);

/** The text of the amount, as a number of the language that rounds it; NaN where there is none. */
const asFloat = (request) => Number(request.asked);
const decimals = (request) => String(request.asked ?? '').split('.')[1]?.length ?? 0;
const isPlain = (request) => /^-?\d+(\.\d+)?$/.test(String(request.asked ?? ''));
const WORD = 2 ** 32;

/** Charges one cent on an order of its own, whatever the reply was. */
const chargeCent = (request, next) => next(request.as('checkout', 1));

const amounts = [
  {
    id: 'cent-too-much',
    title: 'the reply says one cent more than was asked and charged',
    caughtBy: ['amount-exact'],
    make: changedReply(isApprovedCheckout, (reply) => reply.with({ amount: money(reply.amount_minor + 1) })),
  },
  {
    id: 'charges-cents',
    title: 'the amount is charged a hundredth as large, the reply says what was asked',
    caughtBy: ['balance-after-charge'],
    make: () => async (request, next) => {
      const asked = cents(request.asked);
      if (!isCheckout(request) || !(asked > 100)) return next(request);
      const reply = await next(request.withAmount(Math.floor(asked / 100)));
      return reply.isApproved ? reply.with({ amount: money(asked) }) : reply;
    },
  },
  {
    id: 'amount-text-refused',
    title: 'an amount that comes as a text is refused',
    caughtBy: ['amount-string'],
    make: answered(
      (request) => isMoney(request) && !request.isForm && typeof request.asked === 'string',
      refusal('The amount must be a number'),
    ),
  },
  {
    id: 'zero-approved',
    title: 'a charge of nothing is approved',
    caughtBy: ['amount-zero'],
    make: answered(
      (request) => isCheckout(request) && cents(request.asked) === 0,
      () => Reply.approval(0, 0),
    ),
  },
  {
    id: 'negative-credited',
    title: 'a charge of less than nothing loads the card',
    caughtBy: ['amount-negative'],
    make: changedRequest(
      (request) => isCheckout(request) && cents(request.asked) < 0,
      (request) => request.as('top-up', -cents(request.asked)),
    ),
  },
  {
    id: 'third-decimal-rounded',
    title: 'an amount with three decimals is rounded and charged',
    caughtBy: ['amount-three-decimals'],
    make: changedRequest(
      (request) => isMoney(request) && isPlain(request) && decimals(request) > 2,
      (request) => request.withAmount(Math.round(asFloat(request) * 100)),
    ),
  },
  {
    id: 'huge-wraps-round',
    title: 'a huge amount wraps round and a small one is charged',
    caughtBy: ['amount-huge'],
    make: changedRequest(
      (request) => isCheckout(request) && asFloat(request) * 100 >= WORD,
      (request) => request.withAmount(1 + (Math.round((asFloat(request) * 100) % WORD) % 100)),
    ),
  },
  {
    id: 'words-are-numbers',
    title: 'an amount that is no number is read as far as it looks like one, else as one dollar',
    caughtBy: ['amount-not-a-number'],
    make: changedRequest(
      (request) => isMoney(request) && request.asked !== undefined && !isPlain(request),
      (request) => request.withAmount(Math.round((Number.parseFloat(request.asked) || 1) * 100)),
    ),
  },
  {
    id: 'cents-cut',
    title: 'amounts are multiplied by 100 as binary fractions, and the rest is cut off',
    caughtBy: ['amount-cents'],
    make: changedRequest(
      (request) => isMoney(request) && cents(request.asked) > 0,
      (request) => request.withAmount(Math.floor(asFloat(request) * 100)),
    ),
  },
];

const balances = [
  {
    id: 'stale-balance',
    title: 'a look at the balance tells what the first look found',
    caughtBy: ['balance-after-charge'],
    make: () => {
      const found = new Map();
      return async (request, next) => {
        if (!isLook(request) || !request.isSigned) return next(request);
        const reply = found.get(request.card) ?? (await next(request));
        if (reply.isApproved) found.set(request.card, reply);
        return reply;
      };
    },
  },
  {
    id: 'balance-of-before',
    title: 'the reply tells the balance from before the charge',
    caughtBy: ['balance-in-reply'],
    make: changedReply(isApprovedCheckout, (reply) =>
      reply.with({ balance: money(reply.balance_minor + reply.amount_minor) }),
    ),
  },
  {
    id: 'look-costs-a-cent',
    title: 'every look at the balance costs a cent',
    caughtBy: ['balance-only-looks'],
    make: () => async (request, next) => {
      const reply = await next(request);
      if (isLook(request) && reply.isApproved) await chargeCent(request, next);
      return reply;
    },
  },
  {
    id: 'refusal-costs-a-cent',
    title: 'a refused charge takes a cent all the same',
    caughtBy: ['balance-after-refusal'],
    make: () => async (request, next) => {
      const reply = await next(request);
      if (isCheckout(request) && reply.isRefused) await chargeCent(request, next);
      return reply;
    },
  },
];

const partial = [
  {
    id: 'rounds-up',
    title: 'the reply says the next full dollar, above what was asked',
    caughtBy: ['partial-at-most-asked'],
    make: changedReply(isApprovedCheckout, (reply) =>
      reply.with({ amount: money((Math.floor(reply.amount_minor / 100) + 1) * 100) }),
    ),
  },
  {
    id: 'rest-called-whole',
    title: 'the rest of a card is taken and the whole amount is approved',
    caughtBy: ['partial-rest'],
    make: changedReply(
      (request, reply) => isApprovedCheckout(request, reply) && cents(request.asked) > reply.amount_minor,
      (reply, request) => reply.with({ amount: money(cents(request.asked)) }),
    ),
  },
  {
    id: 'refused-with-success',
    title: 'a charge that an empty card cannot pay is refused with success',
    caughtBy: ['partial-empty-card'],
    make: changedReply(
      (request, reply) => isCheckout(request) && hasNoFunds(reply),
      () => Reply.approval(0, 0),
    ),
  },
];

const backAndUp = [
  {
    id: 'refund-not-given',
    title: 'a refund is approved and the card gets nothing',
    caughtBy: ['refund-gives-back'],
    make: answered(
      (request) => isRefund(request) && request.isSigned && cents(request.asked) > 0,
      (request) => Reply.approval(cents(request.asked), cents(request.asked)),
    ),
  },
  {
    id: 'refund-without-end',
    title: 'more is given back than was charged',
    caughtBy: ['refund-at-most'],
    make: () => async (request, next) => {
      const reply = await next(request);
      return isRefund(request) && reply.isRefused && cents(request.asked) > 0
        ? next(request.as('top-up', cents(request.asked)))
        : reply;
    },
  },
  {
    id: 'refund-without-charge',
    title: 'a refund on an order without a charge is called a success and gives twice as much',
    caughtBy: ['refund-no-charge'],
    make: () => {
      const charged = new Set();
      return async (request, next) => {
        if (isCheckout(request)) charged.add(request.order);
        if (!isRefund(request) || charged.has(request.order)) return next(request);
        await next(request.as('top-up', cents(request.asked)));
        const reply = await next(request.as('top-up', cents(request.asked)));
        return reply;
      };
    },
  },
  {
    id: 'top-up-lost',
    title: 'a top-up is approved and loads nothing',
    caughtBy: ['top-up-adds'],
    make: answered(
      (request) => isTopUp(request) && request.isSigned && cents(request.asked) > 0,
      (request) => Reply.approval(cents(request.asked), cents(request.asked)),
    ),
  },
  {
    id: 'top-up-not-spendable',
    title: 'what was loaded is shown and cannot be spent',
    caughtBy: ['top-up-then-spend'],
    make: () => {
      const loaded = new Set();
      return async (request, next) => {
        if (isCheckout(request) && loaded.has(request.card)) return Reply.refusal('The card is not activated yet');
        const reply = await next(request);
        if (isTopUp(request) && reply.isApproved) loaded.add(request.card);
        return reply;
      };
    },
  },
];

/** Runs charges on one card so that those which come together see each other: others is how many there are. */
const gathered = (charge) => () => {
  const underWay = new Map();
  return async (request, next) => {
    if (!isCheckout(request)) return next(request);
    const others = underWay.get(request.card) ?? 0;
    underWay.set(request.card, others + 1);
    await sleep(GATHER_MS);
    const reply = await charge(request, next, others);
    underWay.set(request.card, underWay.get(request.card) - 1);
    return reply;
  };
};

const races = [
  {
    id: 'lost-update',
    title: 'of charges at the same moment all are approved and one is written down',
    caughtBy: ['race-one-card'],
    make: gathered(async (request, next, others) => {
      if (others === 0) return next(request);
      const look = await next(request.as('check-balance'));
      const asked = cents(request.asked);
      return look.balance_minor >= asked ? Reply.approval(asked, look.balance_minor - asked) : next(request);
    }),
  },
  {
    id: 'last-cents-twice',
    title: 'charges at the same moment are all approved, beyond what the card holds',
    caughtBy: ['race-last-cents'],
    make: gathered(async (request, next, others) => {
      const reply = await next(request);
      return others > 0 && hasNoFunds(reply) ? Reply.approval(cents(request.asked), 0) : reply;
    }),
  },
];

export default [...amounts, ...balances, ...partial, ...backAndUp, ...races];
