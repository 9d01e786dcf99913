// Wrong servers that find a card only when it is typed the way they store it, or read only bodies of one kind.
import { Reply } from './message.mjs';
import { answered, changedRequest, isPayment, page, refusal } from './parts.mjs';

const NOT_FOUND = refusal('Card not found');
const KNOWN = ['company_id', 'site_id', 'register_id', 'order_id', 'keyword', 'reference_id', 'amount', 'topup_amount'];
const IDS = ['company_id', 'site_id', 'register_id', 'order_id'];

const hasCard = (pattern) => (request) => isPayment(request) && pattern.test(request.card);
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
    make: answered(hasCard(/\d[ -]\d/), NOT_FOUND),
  },
  {
    id: 'swipe-unknown',
    title: 'a swiped card is not found',
    caughtBy: ['card-swipe'],
    make: answered(hasCard(/^[%;]/), NOT_FOUND),
  },
  {
    id: 'reference-id-ignored',
    title: 'a card that comes as reference_id is not read',
    caughtBy: ['card-reference-id'],
    make: answered((request) => isPayment(request) && !request.fields.keyword, refusal('Card number required')),
  },
  {
    id: 'letters-mangled',
    title: 'bodies are read as Latin-1, so that a signature over other letters never matches',
    caughtBy: ['card-unicode'],
    make: answered(
      (request) => isPayment(request) && /[^\x00-\x7f]/.test(request.text), // eslint-disable-line no-control-regex
      () => Reply.json('{"success":false,"error":"Bad signature"}', 401),
    ),
  },
  {
    id: 'quotes-break-the-query',
    title: 'a quote in the keyword breaks the query and gets an HTML page',
    caughtBy: ['card-quotes'],
    make: answered(hasCard(/['"]/), page(500, 'SQLSTATE[42000]: Syntax error or access violation')),
  },
  {
    id: 'unknown-field-refused',
    title: 'a body with a field more than usual is refused',
    caughtBy: ['fields-unknown'],
    make: answered(hasUnknownField, refusal('Unknown field in the request')),
  },
  {
    id: 'text-id-refused',
    title: 'ids that come as texts are refused',
    caughtBy: ['fields-id-strings'],
    make: answered(hasTextId, refusal('company_id must be an integer')),
  },
  {
    id: 'escapes-not-read',
    title: 'escapes in the JSON are not undone',
    caughtBy: ['fields-escapes'],
    make: changedRequest((request) => isPayment(request) && request.text.includes('\\'), unescaped),
  },
  {
    id: 'form-refused',
    title: 'a form body is refused',
    caughtBy: ['fields-form'],
    make: answered(
      (request) => isPayment(request) && request.isForm,
      () => Reply.json('{"success":false,"error":"The body must be JSON"}', 400),
    ),
  },
];
