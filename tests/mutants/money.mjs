// Wrong servers that read amounts or keep balances wrongly.
import { Reply, cents, money } from './message.mjs';
import {
  APPROVED,
  GATHER_MS,
  answered,
  changedReply,
  changedRequest,
  is,
  isCheckout,
  isLook,
  isMoney,
  otherBalance,
  refusal,
  refusedAs,
  sleep,
} from './parts.mjs';

const isApprovedCheckout = (request, reply) => isCheckout(request) && reply.isApproved;
const isTopUp = is('top-up');
const isRefund = is('refund');
const hasNoFunds = (reply) => reply.isRefused && /balance|funds|empty|left/i.test(reply.json.error);

/** The text of the amount, as a number of the language that rounds it; NaN where there is none. */
const asFloat = (request) => Number(request.asked);
const decimals = (request) => request.askedText.replace(/0+$/, '').split('.')[1]?.length ?? 0;
const isPlain = (request) => /^-?\d+(\.\d+)?$/.test(String(request.asked ?? ''));
/** The lowest 32 bits of an amount in cents. */
function lowBits(text) {
  const [whole, part = ''] = text.split('.');
  return Number(BigInt.asUintN(32, BigInt(whole) * 100n + BigInt(part.padEnd(2, '0').slice(0, 2))));
}

/** Charges one cent on an order of its own, whatever the reply was. */
const chargeCent = (request, next) => next(request.as('checkout', 1));

const amounts = [
  {
    id: 'cent-too-much',
    title: 'the reply says one cent more than was asked and charged',
    caughtBy: ['amount-exact'],
    because: /0\.01 was asked, the reply says 0\.02/,
    make: changedReply(isApprovedCheckout, (reply) => reply.with({ amount: money(reply.amount_minor + 1) })),
  },
  {
    id: 'charges-a-tenth',
    title: 'a tenth of the amount is charged, the reply says what was asked',
    caughtBy: ['balance-after-charge'],
    because: otherBalance('right after a charge of 0.20'),
    make: () => async (request, next) => {
      const asked = cents(request.asked);
      if (!isCheckout(request) || !(asked >= 10)) return next(request);
      const reply = await next(request.withAmount(Math.floor(asked / 10)));
      return reply.isApproved ? reply.with({ amount: money(asked) }) : reply;
    },
  },
  {
    id: 'whole-is-cents',
    title: 'an amount without decimals is taken for cents',
    caughtBy: ['amount-cents'],
    because: /1\.00 was asked, the reply says 0\.01/,
    make: changedRequest(
      (request) => isCheckout(request) && /^\d+$/.test(request.askedText),
      (request) => request.withAmount(cents(request.asked) / 100),
    ),
  },
  {
    id: 'amount-text-refused',
    title: 'an amount that comes as a text is refused',
    caughtBy: ['amount-string'],
    because: refusedAs('The amount must be a number'),
    make: answered(
      (request) => isMoney(request) && !request.isForm && typeof request.asked === 'string',
      refusal('The amount must be a number'),
    ),
  },
  {
    id: 'tenths-are-cents',
    title: 'what stands behind the point is taken for a number of cents, so that 0.5 is 0.05',
    caughtBy: ['amount-string'],
    because: /0\.50 was asked, the reply says 0\.05/,
    make: changedRequest(
      (request) => isCheckout(request) && /^\d+\.\d$/.test(request.askedText),
      (request) => request.withAmount(cents(request.askedText.replace('.', '.0'))),
    ),
  },
  {
    id: 'zero-approved',
    title: 'a charge of nothing is approved',
    caughtBy: ['amount-zero'],
    because: APPROVED,
    make: answered(
      (request) => isCheckout(request) && cents(request.asked) === 0,
      () => Reply.approval(0, 0),
    ),
  },
  {
    id: 'negative-credited',
    title: 'a charge of less than nothing loads the card',
    caughtBy: ['amount-negative'],
    because: APPROVED,
    make: changedRequest(
      (request) => isCheckout(request) && cents(request.asked) < 0,
      (request) => request.as('top-up', -cents(request.asked)),
    ),
  },
  {
    id: 'third-decimal-rounded',
    title: 'an amount with three decimals is rounded and charged',
    caughtBy: ['amount-three-decimals'],
    because: APPROVED,
    make: changedRequest(
      (request) => isMoney(request) && isPlain(request) && decimals(request) > 2,
      (request) => request.withAmount(Math.round(asFloat(request) * 100)),
    ),
  },
  {
    id: 'huge-wraps-round',
    title: 'of a huge amount the lowest 32 bits are charged',
    caughtBy: ['amount-huge'],
    because: /0\.01 was approved: neither all nor none/,
    make: changedRequest(
      (request) => isCheckout(request) && asFloat(request) * 100 >= 2 ** 32,
      (request) => request.withAmount(lowBits(request.askedText)),
    ),
  },
  {
    id: 'words-are-numbers',
    title: 'an amount that is no number is read as far as it looks like one, else as one dollar',
    caughtBy: ['amount-not-a-number'],
    because: APPROVED,
    make: changedRequest(
      (request) => isMoney(request) && request.asked !== undefined && !isPlain(request),
      (request) => request.withAmount(Math.round((Number.parseFloat(request.asked) || 1) * 100)),
    ),
  },
  {
    id: 'cents-cut',
    title: 'amounts are multiplied by 100 as binary fractions, and the rest is cut off',
    caughtBy: ['amount-exact'],
    because: /0\.29 was asked, the reply says 0\.28/,
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
    because: otherBalance('right after a charge of 0.20'),
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
    because: /the reply to the charge says [\d.]+ is left, check-balance says/,
    make: changedReply(isApprovedCheckout, (reply) =>
      reply.with({ balance: money(reply.balance_minor + reply.amount_minor) }),
    ),
  },
  {
    id: 'look-costs-a-cent',
    title: 'every look at the balance costs a cent',
    caughtBy: ['balance-only-looks'],
    because: otherBalance('after nothing but looks'),
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
    because: otherBalance('after two refused charges'),
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
    caughtBy: ['shape-amount'],
    because: /at most 0\.10 may be approved, the reply says 1\.00/,
    make: changedReply(isApprovedCheckout, (reply) =>
      reply.with({ amount: money((Math.floor(reply.amount_minor / 100) + 1) * 100) }),
    ),
  },
  {
    id: 'rest-called-whole',
    title: 'the rest of a card is taken and the whole amount is approved',
    caughtBy: ['partial-at-most-asked'],
    because: /at most 0\.50 may be approved, the reply says 0\.80/,
    make: changedReply(
      (request, reply) => isApprovedCheckout(request, reply) && cents(request.asked) > reply.amount_minor,
      (reply, request) => reply.with({ amount: money(cents(request.asked)) }),
    ),
  },
  {
    id: 'one-card-per-order',
    title: 'a second card on the same order is refused',
    caughtBy: ['partial-rest'],
    because: refusedAs('This order was paid with another card'),
    make: () => {
      const paidBy = new Map();
      return async (request, next) => {
        if (!isCheckout(request)) return next(request);
        const first = paidBy.get(request.order) ?? request.card;
        if (first !== request.card) return Reply.refusal('This order was paid with another card');
        const reply = await next(request);
        if (reply.isApproved) paidBy.set(request.order, request.card);
        return reply;
      };
    },
  },
  {
    id: 'refused-with-success',
    title: 'a charge that an empty card cannot pay is refused with success',
    caughtBy: ['partial-empty-card'],
    because: APPROVED,
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
    because: otherBalance('after 0.40 and a refund of 0.15'),
    make: answered(
      (request) => isRefund(request) && request.isSigned && cents(request.asked) > 0,
      (request) => Reply.approval(cents(request.asked), cents(request.asked)),
    ),
  },
  {
    id: 'refund-without-end',
    title: 'more is given back than was charged',
    caughtBy: ['refund-at-most'],
    because: /at most 0\.40 may be approved, the reply says 0\.80/,
    make: () => async (request, next) => {
      const reply = await next(request);
      return isRefund(request) && reply.isRefused && cents(request.asked) > 0
        ? next(request.as('top-up', cents(request.asked)))
        : reply;
    },
  },
  {
    id: 'refunds-not-summed',
    title: 'each refund is compared with the charge, and not what was given back before',
    caughtBy: ['refund-at-most'],
    because: /refunds on a sale of 0\.40 have left [\d.]+ more on the card than before it/,
    make: () => {
      const charged = new Map();
      return async (request, next) => {
        const reply = await next(request);
        if (isCheckout(request) && reply.isApproved) charged.set(request.order, reply.amount_minor);
        const asked = cents(request.asked);
        const isWithin = isRefund(request) && reply.isRefused && asked <= charged.get(request.order);
        return isWithin ? next(request.as('top-up', asked)) : reply;
      };
    },
  },
  {
    id: 'refund-to-nobody',
    title: 'a refund to a card that is not there is approved',
    caughtBy: ['refund-no-charge'],
    because: /refund to a card nobody has: approved/,
    make: changedReply(
      (request, reply) => isRefund(request) && /not found/.test(reply.json?.error),
      (reply, request) => Reply.approval(cents(request.asked), cents(request.asked)),
    ),
  },
  {
    id: 'refund-without-charge',
    title: 'a refund on an order without a charge is given, however much',
    caughtBy: ['refund-no-charge'],
    because: APPROVED,
    make: () => {
      const charged = new Set();
      return (request, next) => {
        if (isCheckout(request)) charged.add(request.order);
        const isFree = isRefund(request) && !charged.has(request.order) && cents(request.asked) > 0;
        return next(isFree ? request.as('top-up', cents(request.asked)) : request);
      };
    },
  },
  {
    id: 'top-up-lost',
    title: 'a top-up is approved and loads nothing',
    caughtBy: ['top-up-adds'],
    because: otherBalance('after a top-up of 0.40'),
    make: answered(
      (request) => isTopUp(request) && request.isSigned && cents(request.asked) > 0,
      (request) => Reply.approval(cents(request.asked), cents(request.asked)),
    ),
  },
  {
    id: 'top-up-told-before',
    title: 'the reply to a top-up tells the balance from before it',
    caughtBy: ['top-up-adds'],
    because: /the reply to the top-up tells another balance than check-balance/,
    make: changedReply(
      (request, reply) => isTopUp(request) && reply.isApproved,
      (reply) => reply.with({ balance: money(reply.balance_minor - reply.amount_minor) }),
    ),
  },
  {
    id: 'top-up-not-spendable',
    title: 'what was loaded is shown and cannot be spent',
    caughtBy: ['top-up-then-spend'],
    because: refusedAs('The card is not activated yet'),
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

/** Runs charges on one card so that those which come together see each other: group.count is how many there were. */
const gathered = (charge) => () => {
  const groups = new Map();
  return async (request, next) => {
    if (!isCheckout(request)) return next(request);
    const group = groups.get(request.card) ?? { count: 0, left: 0 };
    groups.set(request.card, group);
    const isFirst = group.count++ === 0;
    group.left++;
    await sleep(GATHER_MS);
    const reply = await charge(request, next, { group, isFirst });
    if (--group.left === 0) groups.delete(request.card);
    return reply;
  };
};

const races = [
  {
    id: 'lost-update',
    title: 'of charges at the same moment all are approved and one is written down',
    caughtBy: ['race-one-card'],
    because: otherBalance('after eight charges of 0.20 at once'),
    make: gathered(async (request, next, { isFirst }) => {
      if (isFirst) return next(request);
      const look = await next(request.as('check-balance'));
      const asked = cents(request.asked);
      return look.balance_minor >= asked ? Reply.approval(asked, look.balance_minor - asked) : next(request);
    }),
  },
  {
    id: 'busy-card-refused',
    title: 'a charge on a card that pays somewhere else at the moment is refused',
    caughtBy: ['race-one-card'],
    because: /eight sales charged 0\.20 each at once, and only \d were approved/,
    make: gathered((request, next, { isFirst }) => (isFirst ? next(request) : Reply.refusal('The card is in use'))),
  },
  {
    id: 'last-cents-twice',
    title: 'charges at the same moment are all approved, beyond what the card holds',
    caughtBy: ['race-last-cents'],
    because: /eight tills at once were promised/,
    make: gathered(async (request, next, { group }) => {
      const reply = await next(request);
      return group.count > 1 && hasNoFunds(reply) ? Reply.approval(cents(request.asked), 0) : reply;
    }),
  },
];

export default [...amounts, ...balances, ...partial, ...backAndUp, ...races];
