// Wrong servers that find a card only when it is typed the way they store it, or read only bodies of one kind.
import { Reply } from './message.mjs';
import {
  APPROVED,
  NOT_JSON,
  answered,
  changedReply,
  changedRequest,
  isPayment,
  page,
  refusal,
  refusedAs,
} from './parts.mjs';

/** How our own numbers begin. */
const OURS = /^9000/;
const NOT_FOUND = refusal('Card not found');
const KNOWN = ['company_id', 'site_id', 'register_id', 'order_id', 'keyword', 'reference_id', 'amount', 'topup_amount'];
const IDS = ['company_id', 'site_id', 'register_id', 'order_id'];

const hasCard = (pattern) => (request) => isPayment(request) && pattern.test(request.card);
const hasLetters = (request) => isPayment(request) && /[\u0080-\uffff]/.test(request.text);
const hasUnknownField = (request) =>
  isPayment(request) && Object.keys(request.fields).some((name) => !KNOWN.includes(name));
const hasTextId = (request) =>
  isPayment(request) && !request.isForm && IDS.some((name) => typeof request.fields[name] === 'string');

/** What is left of a body when escapes are taken for what they are written with. */
const unescaped = (request) => request.withBody(request.text.replaceAll('\\', '\\\\').replaceAll('\\\\"', '\\"'));

export default [
  {
    id: 'dashes-unknown',
    title: 'a card typed with dashes or blanks is not found',
    caughtBy: ['card-dashes'],
    because: refusedAs('Card not found'),
    make: answered(hasCard(/\d[ -]\d/), NOT_FOUND),
  },
  {
    id: 'swipe-unknown',
    title: 'a swiped card is not found',
    caughtBy: ['card-swipe'],
    because: refusedAs('Card not found'),
    make: answered(hasCard(/^[%;]/), NOT_FOUND),
  },
  {
    id: 'reference-id-ignored',
    title: 'a card that comes as reference_id is not read',
    caughtBy: ['card-reference-id'],
    because: refusedAs('Card number required'),
    make: answered((request) => isPayment(request) && !request.fields.keyword, refusal('Card number required')),
  },
  {
    id: 'letters-mangled',
    title: 'bodies are read as Latin-1, so that a signature over other letters never matches',
    caughtBy: ['card-unicode'],
    because: refusedAs('Bad signature'),
    make: answered(hasLetters, () => Reply.json('{"success":false,"error":"Bad signature"}', 401)),
  },
  {
    id: 'letters-page',
    title: 'other letters than those of English get an HTML page',
    caughtBy: ['card-unicode'],
    because: NOT_JSON,
    make: answered(hasLetters, page(500, "UnicodeEncodeError: 'ascii' codec")),
  },
  {
    id: 'quotes-break-the-query',
    title: 'a quote in the keyword breaks the query and gets an HTML page',
    caughtBy: ['card-quotes'],
    because: NOT_JSON,
    make: answered(hasCard(/['"]/), page(500, 'SQLSTATE[42000]: Syntax error or access violation')),
  },
  {
    id: 'pin-not-compared',
    title: 'a card with a PIN is served with any, or without',
    caughtBy: ['card-pin'],
    because: APPROVED,
    make: () => {
      const known = new Map(); // number -> how it was typed when it was right
      return async (request, next) => {
        if (!isPayment(request)) return next(request);
        const [number] = request.card.split('*');
        if (known.has(number)) return next(request.with({ keyword: known.get(number) }));
        const reply = await next(request);
        if (reply.isApproved && request.card.includes('*')) known.set(number, request.card);
        return reply;
      };
    },
  },
  {
    id: 'stock-told-apart',
    title: 'a number that is printed and not sold is told from one that nobody has',
    caughtBy: ['card-stock'],
    because: /is told from a number nobody has/,
    make: changedReply(
      (request, reply) => hasCard(OURS)(request) && /not found/.test(reply.json?.error),
      refusal('This card has not been sold yet'),
    ),
  },
  {
    id: 'unknown-field-refused',
    title: 'a body with a field more than usual is refused',
    caughtBy: ['fields-unknown'],
    because: refusedAs('Unknown field in the request'),
    make: answered(hasUnknownField, refusal('Unknown field in the request')),
  },
  {
    id: 'text-id-refused',
    title: 'ids that come as texts are refused',
    caughtBy: ['fields-id-strings'],
    because: refusedAs('company_id must be an integer'),
    make: answered(hasTextId, refusal('company_id must be an integer')),
  },
  {
    id: 'escapes-not-read',
    title: 'escapes in the JSON are not undone',
    caughtBy: ['fields-escapes'],
    because: refusedAs(''),
    make: changedRequest((request) => isPayment(request) && request.text.includes('\\'), unescaped),
  },
  {
    id: 'form-refused',
    title: 'a form body is refused',
    caughtBy: ['fields-form'],
    because: refusedAs('The body must be JSON'),
    make: answered(
      (request) => isPayment(request) && request.isForm,
      () => Reply.json('{"success":false,"error":"The body must be JSON"}', 400),
    ),
  },
];
