// Wrong servers of loyalty: searches, look-ups and rewards.
import { Reply } from './message.mjs';
import { APPROVED, NOT_JSON, answered, changedReply, isLookup, isRedeem, isSearch, page, plain } from './parts.mjs';

const keywordOf = (request) => request.query.get('keyword') ?? '';
const members = (reply) => Object.values(reply.json?.members ?? {});
const findsNobody = (request, reply) => isSearch(request) && reply.json?.members && members(reply).length === 0;
const findsSome = (request, reply) => isSearch(request) && members(reply).length > 0;
const isLookupError = (request, reply) => isLookup(request) && typeof reply.json?.error === 'string';
const offers = (request, reply) => isLookup(request) && (reply.json?.rewards ?? []).length > 0;

/** Every member, or every reward, of a reply changed by a function. */
const eachMember = (change) => (reply) =>
  reply.edited((json) => {
    for (const member of Object.values(json.members)) change(member);
  });
const eachReward = (change) => (reply) => reply.edited((json) => json.rewards.forEach(change));

/** Where one reply fits, the last one of another kind is given instead. */
const lastInstead = (isKept, isReplaced) => () => {
  let kept;
  return async (request, next) => {
    const reply = await next(request);
    if (isKept(request, reply)) kept = reply;
    return kept && isReplaced(request, reply) ? kept : reply;
  };
};

/** The parameters that say whom and where a look-up was for. */
const bareUrl = (request, action, query) =>
  request.copy({ url: `${request.path.replace(/[^/]*$/, action)}?${query}`, body: Buffer.alloc(0) });

/**
 * Taps the reward again, by a redeem_url of its own, when the one that was handed out is called again: what comes of
 * tokens that are good for more than once. isAgain(first address, request): is this a call to do that for?
 */
const redeemedAgain = (isAgain) => () => {
  const lookups = new Map(); // token of a redeem_url -> the look-up and the reward it came from
  const redeemed = new Map(); // token -> the address it was redeemed by
  const tokenOf = (url) =>
    url
      .split('?')
      .slice(1)
      .join('?')
      .replace(/&?order_id=.*/, '');
  const remember = (request, reply) =>
    reply.json?.rewards?.forEach(({ id, redeem_url: url }) => lookups.set(tokenOf(url), { request, id }));
  const again = async (request, next) => {
    const known = lookups.get(tokenOf(request.url));
    const reply = await next(known.request);
    const url = reply.json.rewards.find(({ id }) => id === known.id).redeem_url;
    return next(bareUrl(request, 'redeem', `${tokenOf(url)}&order_id=${request.query.get('order_id')}`));
  };
  return async (request, next) => {
    const first = isRedeem(request) && redeemed.get(tokenOf(request.url));
    if (first && isAgain(first, request)) return again(request, next);
    const reply = await next(request);
    if (isLookup(request)) remember(request, reply);
    if (isRedeem(request) && reply.isApproved) redeemed.set(tokenOf(request.url), request.url);
    return reply;
  };
};

export default [
  {
    id: 'members-in-an-array',
    title: 'the members of a search stand in an array',
    caughtBy: ['search-shape'],
    because: /members is an object/,
    make: changedReply(
      (request, reply) => isSearch(request) && reply.json?.members,
      (reply) => reply.edited((json) => ({ ...json, members: Object.values(json.members) })),
    ),
  },
  {
    id: 'nobody-is-404',
    title: 'a search that finds nobody gets a text page with status 404',
    caughtBy: ['search-nobody'],
    because: NOT_JSON,
    make: changedReply(findsNobody, plain(404, 'No customers found\n')),
  },
  {
    id: 'nobody-is-an-array',
    title: 'a search that finds nobody gets an empty array instead of an object',
    caughtBy: ['search-nobody'],
    because: /"members" is an array, not an object/,
    make: changedReply(findsNobody, (reply) => reply.withBody('{"members":[]}')),
  },
  {
    id: 'nobody-is-everybody',
    title: 'a search that finds nobody gives those of the search before',
    caughtBy: ['search-nobody'],
    because: /members are called/,
    make: lastInstead(findsSome, findsNobody),
  },
  {
    id: 'odd-keyword-page',
    title: 'a keyword with a quote or another script gets an HTML page',
    caughtBy: ['search-odd-keywords'],
    because: NOT_JSON,
    make: answered((request) => isSearch(request) && /['"]|[^ -~]/.test(keywordOf(request)), page(500, 'Server Error')),
  },
  {
    id: 'member-without-email',
    title: 'a member has no email_address',
    caughtBy: ['search-fields'],
    because: /a member has id, first_name and email_address/,
    make: changedReply(
      findsSome,
      eachMember((member) => delete member.email_address),
    ),
  },
  {
    id: 'member-name-null',
    title: 'the first name of a member is null',
    caughtBy: ['search-fields'],
    because: /"first_name" of a member is null/,
    make: changedReply(
      findsSome,
      eachMember((member) => (member.first_name = null)),
    ),
  },
  {
    id: 'search-needs-the-order',
    title: 'a search looks the placeholder order up, and says it does not exist',
    caughtBy: ['search-order-id'],
    because: /nobody was found by .*: Order not found/,
    make: answered(
      (request) => isSearch(request) && request.query.has('order_id'),
      () => Reply.json({ error: 'Order not found' }),
    ),
  },
  {
    id: 'order-of-32-bits',
    title: 'a search with a placeholder beyond 32 bits is refused',
    caughtBy: ['search-order-id'],
    because: /other members were found/,
    make: answered(
      (request) => isSearch(request) && Number(request.query.get('order_id')) >= 2 ** 32,
      () => Reply.json({ error: 'order_id is out of range' }),
    ),
  },
  {
    id: 'rewards-null',
    title: 'the rewards of a look-up are null',
    caughtBy: ['lookup-shape'],
    because: /rewards is an array/,
    make: changedReply(
      (request, reply) => isLookup(request) && reply.json?.rewards,
      (reply) => reply.edited((json) => ({ ...json, rewards: null })),
    ),
  },
  {
    id: 'points-in-words',
    title: 'what a reward costs is written in words',
    caughtBy: ['lookup-shape'],
    because: /a reward has id, title and points_required/,
    make: changedReply(
      offers,
      eachReward((reward) => (reward.points_required = `${reward.points_required} points`)),
    ),
  },
  {
    id: 'placeholder-missing',
    title: 'a redeem_url does not name the placeholder',
    caughtBy: ['lookup-placeholder'],
    because: /redeem_url has order_id=PLACEHOLDER once, last/,
    make: changedReply(
      offers,
      eachReward((reward) => (reward.redeem_url = reward.redeem_url.replace(/[?&]order_id=\d+/, ''))),
    ),
  },
  {
    id: 'placeholder-rounded',
    title: 'the placeholder passes through a binary fraction, and a long one comes back rounded',
    caughtBy: ['lookup-placeholder'],
    because: /placeholder 9007199254740993: not so: redeem_url has order_id/,
    make: changedReply(
      offers,
      eachReward((reward) => (reward.redeem_url = reward.redeem_url.replace(/\d+$/, (digits) => `${Number(digits)}`))),
    ),
  },
  {
    id: 'unknown-member-page',
    title: 'a look-up of a member that is not there gets an HTML page',
    caughtBy: ['lookup-unknown'],
    because: NOT_JSON,
    make: changedReply(isLookupError, page(404, 'Not Found')),
  },
  {
    id: 'rewards-for-anybody',
    title: 'a member that is not there gets the rewards of the look-up before',
    caughtBy: ['lookup-unknown'],
    because: /rewards are offered to a member nobody knows/,
    make: lastInstead(offers, isLookupError),
  },
  {
    id: 'redeemed-in-words',
    title: 'a reward is called redeemed and the order stays as it was',
    caughtBy: ['redeem-changes-order'],
    because: /the sale has the same total/,
    make: answered(isRedeem, () => Reply.json({ success: true })),
  },
  {
    id: 'redeemed-twice',
    title: 'the same redeem_url takes the reward again when it is called again',
    caughtBy: ['redeem-once'],
    because: /the same reward was put on the sale twice/,
    make: redeemedAgain((first, request) => first === request.url),
  },
  {
    id: 'reward-on-two-sales',
    title: 'the same redeem_url takes the reward again on another sale',
    caughtBy: ['redeem-once'],
    because: /the same reward on another sale: approved/,
    make: redeemedAgain((first, request) => first !== request.url),
  },
  {
    id: 'unknown-order-redeemed',
    title: 'a reward on an order that does not exist is called redeemed',
    caughtBy: ['redeem-unknown-order'],
    because: APPROVED,
    make: changedReply(
      (request, reply) => isRedeem(request) && reply.isRefused,
      () => Reply.json({ success: true }),
    ),
  },
];
