// A partner's collection in which every field is called otherwise than in the default profile: what `profile import` is
// to make a profile of. Two folders deep, with variables, saved examples and a form.

const SIGN = [
  'const body = pm.request.body;',
  'const isForm = body && body.mode === "urlencoded";',
  'if (body && (body.mode === "raw" || isForm)) {',
  '    const text = pm.variables.replaceIn(isForm ? body.urlencoded.toString() : body.raw);',
  '    if (!isForm) body.update({ mode: "raw", raw: text });',
  '    pm.request.headers.upsert({ key: "Content-Type",',
  '        value: isForm ? "application/x-www-form-urlencoded" : "application/json" });',
  '    pm.request.headers.upsert({ key: "X-Kounta-Signature",',
  '        value: CryptoJS.HmacSHA256(text, pm.variables.get("token")).toString(CryptoJS.enc.Hex) });',
  '}',
];

const script = (listen, exec) => ({ listen, script: { type: 'text/javascript', exec } });
const PLACE = '"firm": {{firm}}, "outlet": {{outlet}}, "till": {{till}}';
const PERSON = {
  ref: 'M-1',
  givenName: 'David',
  surname: 'Kent',
  mail: 'david.kent@example.com',
  score: 420,
  scoreUnit: 'Points',
  extra: { Level: 'Gold', Mobile: '0400 000 000' },
};

const saved = (name, reply, code = 200, originalRequest) => ({
  name,
  code,
  header: [{ key: 'Content-Type', value: 'application/json' }],
  body: JSON.stringify(reply),
  ...(originalRequest && { originalRequest }),
});

function address(path, query) {
  const pairs = Object.entries(query ?? {});
  const text = pairs.map(([key, value]) => `${key}=${value}`).join('&');
  return {
    raw: `{{url}}/${path}${text && `?${text}`}`,
    host: ['{{url}}'],
    path: [path],
    ...(query && { query: pairs.map(([key, value]) => ({ key, value })) }),
  };
}

const raw = (path, text) => ({ method: 'POST', url: address(path), body: { mode: 'raw', raw: text } });
const get = (path, query) => ({ method: 'GET', url: address(path, query) });

function item(name, request, test, response) {
  const exec = [`pm.test("${name}", () => {`, '    const reply = pm.response.json();', `    ${test}`, '});'];
  return { name, request, response, event: [script('test', exec)] };
}

const charge = (sum) => raw('checkout', `{${PLACE}, "sale": {{sale}}, "card": "{{card}}", "sum": ${sum}}`);

/** A fresh copy each time: whoever gets it may change it. */
export const otherNames = () => ({
  info: {
    name: 'The other till API',
    schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json',
  },
  variable: [
    { key: 'firm', value: '5678' },
    { key: 'outlet', value: '923' },
    { key: 'till', value: '9091' },
    { key: 'card', value: '6036280000010010' },
  ],
  event: [script('prerequest', SIGN)],
  item: [
    {
      name: 'Till',
      item: [
        {
          name: 'Gift cards',
          item: [
            item(
              "What's the balance",
              {
                method: 'POST',
                url: address('check-balance'),
                body: {
                  mode: 'urlencoded',
                  urlencoded: [
                    ...['firm', 'outlet', 'till', 'card'].map((key) => ({ key, value: `{{${key}}}` })),
                    { key: 'unused', value: '1', disabled: true },
                  ],
                },
              },
              'pm.expect(reply).to.include({ ok: true }); pm.expect(reply.left).to.be.a("number");',
              [saved('Fine', { ok: true, left: 100, text: 'Has $100' }), saved('Unknown', { ok: false, reason: 'No such card' })],
            ),
            item('Pay with a card', charge('5.50'), 'pm.expect(reply).to.include({ ok: true, approved: 5.5 });', [
              saved('Approved', { ok: true, approved: 25.5, left: 74.5, txn: 'CP1-8', text: 'Charged' }, 200, charge('25.50')),
              saved('Declined', { ok: false, approved: 0, reason: 'Nothing on it' }, 200, charge('99.00')),
            ]),
            item(
              'Top up',
              raw('top-up', `{${PLACE}, "sale": {{sale}}, "card": "{{card}}", "load": 5.50}`),
              'pm.expect(reply).to.include({ ok: true, loaded: 5.5 });',
              [
                saved('Loaded', { ok: true, loaded: 5.5, left: 105.5, txn: 'CP1-9', text: 'Loaded' }),
                saved('Wrong signature', { ok: false, reason: 'Not authorised' }, 401),
              ],
            ),
            item(
              'Refund',
              raw('refund', `{${PLACE}, "sale": {{sale}}, "card": "{{card}}", "giveBack": 5.50}`),
              'pm.expect(reply).to.include({ ok: true, returned: 5.5 });',
              [saved('Given back', { ok: true, returned: 5.5, left: 100, txn: 'CP1-10', text: 'Given back' })],
            ),
          ],
        },
        {
          name: 'Members',
          item: [
            item(
              'Find a person',
              get('customer-search', { q: 'David%20Kent', firm: '{{firm}}', outlet: '{{outlet}}', sale: '111' }),
              'pm.expect(Object.values(reply.people)[0].surname).to.equal("Kent");',
              [saved('One', { people: { 'M-1': PERSON } }), saved('None', { people: {} })],
            ),
            item(
              'Rewards of a person',
              get('reward-lookup', { memberRef: 'M-1', firm: '{{firm}}', outlet: '{{outlet}}', sale: '111' }),
              'pm.environment.set("offerToken", reply.offers[0].link.match(/[?&]t=([^&]+)/)[1]);',
              [
                saved('Two', {
                  person: PERSON,
                  offers: [
                    { code: 'R1', name: '$10 off', rules: 'Once', cost: 100, link: 'https://example.com/redeem?t=a&sale=111' },
                    { code: 'R2', name: 'Coffee', rules: '', cost: 80, link: 'https://example.com/redeem?t=b&sale=111' },
                  ],
                }),
                saved('Unknown', { reason: 'Not a member' }),
              ],
            ),
            item(
              'Redeem',
              get('redeem', { t: '{{offerToken}}', sale: '{{openSale}}' }),
              'pm.expect(reply).to.deep.equal({ ok: true });',
              [saved('Done', { ok: true }), saved('Too few', { ok: false, reason: 'Too few points' })],
            ),
          ],
        },
      ],
    },
  ],
});
