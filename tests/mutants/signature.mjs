// Wrong servers that take requests which no register signed, or refuse some that one did.
import { Reply, SIGNATURE } from './message.mjs';
import { APPROVED, answered, changedRequest, isCheckout, isPayment, otherBalance, refusedAs } from './parts.mjs';

const REFUSAL = () => Reply.json('{"success":false,"error":"Bad signature"}', 401);

/** Is the body what the usual writer would have made of it? */
const isUsualJson = (request) => request.isForm || request.text === JSON.stringify(request.fields);

export default [
  {
    id: 'signature-upper-case',
    title: 'signatures are compared with upper-case digits only',
    caughtBy: ['signature-right'],
    because: refusedAs('Bad signature'),
    make: answered((request) => isPayment(request) && request.isSigned, REFUSAL),
  },
  {
    id: 'signature-not-needed',
    title: 'a request without a signature is served',
    caughtBy: ['signature-missing'],
    because: APPROVED,
    make: changedRequest(
      (request) => isPayment(request) && !(SIGNATURE in request.headers),
      (request) => request.signed(),
    ),
  },
  {
    id: 'signature-not-compared',
    title: 'any signature will do',
    caughtBy: ['signature-wrong'],
    because: APPROVED,
    make: changedRequest(
      (request) => isPayment(request) && SIGNATURE in request.headers,
      (request) => request.signed(),
    ),
  },
  {
    id: 'signature-checked-too-late',
    title: 'a charge that is not signed is made first, and refused then',
    caughtBy: ['signature-missing', 'signature-wrong', 'signature-other-body'],
    because: otherBalance('after a charge that was refused'),
    make: () => async (request, next) => {
      if (isCheckout(request) && !request.isSigned) await next(request.signed());
      return next(request);
    },
  },
  {
    id: 'signature-of-another-body',
    title: 'a signature that was right once is right for any body',
    caughtBy: ['signature-other-body'],
    because: APPROVED,
    make: () => {
      const known = new Set();
      return (request, next) => {
        const signature = request.headers[SIGNATURE];
        if (request.isSigned) known.add(signature);
        return next(known.has(signature) ? request.signed() : request);
      };
    },
  },
  {
    id: 'signature-of-rewritten-body',
    title: 'the body is parsed and written anew before its signature is checked',
    caughtBy: ['signature-odd-spacing'],
    because: refusedAs('Bad signature'),
    make: answered((request) => isPayment(request) && !isUsualJson(request), REFUSAL),
  },
];
