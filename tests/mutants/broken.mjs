// Wrong servers that answer every cashier well, and fall over bodies and addresses that they did not expect.
import { Reply } from './message.mjs';
import { APPROVED, NOT_JSON, NO_REPLY, answered, changedReply, is, isLook, isPayment, page, plain } from './parts.mjs';

const ACTIONS = ['checkout', 'check-balance', 'top-up', 'refund', 'customer-search', 'reward-lookup', 'redeem'];
const PAYMENT_ACTIONS = ACTIONS.slice(0, 4);
const isPost = ({ action, method }) => PAYMENT_ACTIONS.includes(action) && method === 'POST';

function parsed({ text }) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isBroken = (request) =>
  isPost(request) && !request.isForm && request.body.length > 0 && parsed(request) === undefined;
const isUnknownCard = (request, reply) => isPayment(request) && /not found/i.test(reply.json?.error ?? '');
const lacksFields = (request) =>
  isPayment(request) && (!request.card || (is('checkout', 'top-up', 'refund')(request) && request.asked === undefined));
const hasNull = (request) => isPayment(request) && Object.values(request.fields).includes(null);

const KEYWORD_MAX = 1000;
const BODY_MAX = 16 * 1024;

export default [
  {
    id: 'html-not-found',
    title: 'an address that is not there gets an HTML page',
    caughtBy: ['json-unknown-path'],
    because: NOT_JSON,
    make: answered(({ action }) => !ACTIONS.includes(action), page(404, 'Not Found')),
  },
  {
    id: 'html-wrong-method',
    title: 'another method than POST gets an HTML page',
    caughtBy: ['json-wrong-method'],
    because: NOT_JSON,
    make: answered(
      ({ action, method }) => PAYMENT_ACTIONS.includes(action) && method !== 'POST',
      page(405, 'Method Not Allowed'),
    ),
  },
  {
    id: 'empty-body-page',
    title: 'an empty body gets an HTML page',
    caughtBy: ['json-empty-body'],
    because: NOT_JSON,
    make: answered((request) => isPost(request) && request.body.length === 0, page(400, 'Bad Request')),
  },
  {
    id: 'broken-body-trace',
    title: 'a body that does not parse gets a stack trace as text',
    caughtBy: ['json-broken-body'],
    because: NOT_JSON,
    make: answered(isBroken, plain(500, 'SyntaxError: Unexpected end of JSON input\n    at JSON.parse\n')),
  },
  {
    id: 'array-body-reset',
    title: 'a body that is an array ends the connection without a reply',
    caughtBy: ['json-array-body'],
    because: NO_REPLY,
    make: answered((request) => isPost(request) && Array.isArray(parsed(request)), Reply.reset),
  },
  {
    id: 'large-body-page',
    title: 'a large body gets the HTML page of the web server in front',
    caughtBy: ['json-too-large'],
    because: NOT_JSON,
    make: answered((request) => request.body.length > BODY_MAX, page(413, 'Request Entity Too Large')),
  },
  {
    id: 'unknown-card-page',
    title: 'a card that is not there gets a text page with status 404',
    caughtBy: ['json-unknown-card'],
    because: NOT_JSON,
    make: changedReply(isUnknownCard, plain(404, 'No such card\n')),
  },
  {
    id: 'unknown-card-opened',
    title: 'a look at a card that is not there opens it, with nothing on it',
    caughtBy: ['json-unknown-card'],
    because: APPROVED,
    make: changedReply(
      (request, reply) => isLook(request) && isUnknownCard(request, reply),
      () => Reply.approval(0, 0),
    ),
  },
  {
    id: 'missing-field-trace',
    title: 'a body without card or amount gets a stack trace as text',
    caughtBy: ['json-missing-fields'],
    because: NOT_JSON,
    make: answered(lacksFields, plain(500, "KeyError: 'keyword'\n")),
  },
  {
    id: 'null-field-trace',
    title: 'a field that is null gets a stack trace as text',
    caughtBy: ['json-null-fields'],
    because: NOT_JSON,
    make: answered(hasNull, plain(500, "TypeError: Cannot read properties of null (reading 'trim')\n")),
  },
  {
    id: 'long-card-reset',
    title: 'a keyword of more than a thousand characters ends the connection without a reply',
    caughtBy: ['card-long'],
    because: NO_REPLY,
    make: answered((request) => isPayment(request) && request.card.length > KEYWORD_MAX, Reply.reset),
  },
];
