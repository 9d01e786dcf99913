// What goes through the proxy: a request of the register and the reply to it, each with the few changes that the
// wrong servers make. Changed copies are made, nothing is changed in place.
import crypto from 'node:crypto';

export const SIGNATURE = 'x-kounta-signature';

const sign = (body, token) => crypto.createHmac('sha256', token).update(body).digest('hex');

/** Cents of an amount as it stands in a body, or undefined: no plain amount of whole cents. */
export function cents(value) {
  const [, sign_, whole, part = ''] = String(value).match(/^(-?)(\d{1,12})(?:\.(\d{1,2}))?$/) ?? [];
  if (whole === undefined) return undefined;
  const minor = Number(whole) * 100 + Number(part.padEnd(2, '0'));
  return sign_ ? -minor : minor;
}

/** 1250 as 12.50, the way replies write it. */
export function money(minor) {
  const digits = String(Math.abs(minor)).padStart(3, '0');
  return `${minor < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

let nextOrder = 7_000_000_000 + crypto.randomInt(1_000_000_000);
/** An order id that no register sent. */
export const otherOrder = () => nextOrder++;

export class Request {
  /** wire: how it came, see proxy.mjs. */
  constructor({ method, url, headers, body, token, wire = {} }) {
    Object.assign(this, { method, url, headers, body, token, wire });
  }

  get path() {
    return this.url.split('?')[0];
  }
  get action() {
    return this.path.split('/').at(-1);
  }
  get query() {
    return new URLSearchParams(this.url.split('?').slice(1).join('?'));
  }
  get text() {
    return this.body.toString();
  }
  get isForm() {
    return this.body.length > 0 && !/^\s*[{[]/.test(this.text);
  }
  /** The fields of the body, or undefined where it is no object. */
  get fields() {
    try {
      const value = this.isForm ? Object.fromEntries(new URLSearchParams(this.text)) : JSON.parse(this.text);
      return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }
  get card() {
    const { reference_id: reference, keyword } = this.fields ?? {};
    return String(reference || keyword || '');
  }
  get order() {
    return String(this.fields?.order_id ?? '');
  }
  get amountField() {
    return this.action === 'top-up' ? 'topup_amount' : 'amount';
  }
  get asked() {
    return this.fields?.[this.amountField];
  }
  /** The same as it stands in the body, with all its digits. */
  get askedText() {
    return this.text.match(new RegExp(`"${this.amountField}"\\s*:\\s*"?(-?[\\d.]+)`))?.[1] ?? '';
  }
  /** What makes two requests the same one: the action, order, card and amount. */
  get identity() {
    return [this.action, this.order, this.card, cents(this.asked)].join(' ');
  }
  get isSigned() {
    return this.headers[SIGNATURE] === sign(this.body, this.token);
  }

  copy(changes) {
    return new Request({ ...this, ...changes });
  }
  /** Signed as a register would, whatever it came with. */
  signed() {
    return this.copy({ headers: { ...this.headers, [SIGNATURE]: sign(this.body, this.token) } });
  }
  /** With another body. What was signed rightly is signed again; what was not stays so. */
  withBody(body) {
    const copy = this.copy({ body: Buffer.from(body) });
    return this.isSigned ? copy.signed() : copy;
  }
  /** With these fields changed; undefined removes one. Without fields it stays as it is. */
  with(changes) {
    if (!this.fields) return this;
    const fields = { ...this.fields, ...changes };
    for (const name of Object.keys(fields)) if (fields[name] === undefined) delete fields[name];
    return this.withBody(this.isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields));
  }
  withAmount(minor) {
    return this.with({ [this.amountField]: Number(money(minor)) });
  }
  withOtherOrder() {
    return this.with({ order_id: otherOrder() });
  }
  /** The same card under another action, for these cents, on an order of its own. */
  as(action, minor) {
    const [path, ...query] = this.url.split('?');
    const url = [path.replace(/[^/]*$/, action), ...query].join('?');
    const bare = this.with({ [this.amountField]: undefined, order_id: otherOrder() }).copy({ url });
    return minor === undefined ? bare : bare.withAmount(minor);
  }
}

export class Reply {
  /** deliver(res, reply): writes it in a way of its own. */
  constructor({ status, headers, body, deliver }) {
    Object.assign(this, { status, headers, body: Buffer.from(body), deliver });
  }

  static json(value, status = 200) {
    const body = typeof value === 'string' ? value : JSON.stringify(value);
    return new Reply({ status, headers: { 'content-type': 'application/json' }, body });
  }
  static page(status, body, type = 'text/html; charset=utf-8') {
    return new Reply({ status, headers: { 'content-type': type }, body });
  }
  /** No reply at all: the connection is reset. */
  static reset() {
    return new Reply({ status: 0, headers: {}, body: '', deliver: (res) => res.socket?.resetAndDestroy() });
  }
  static refusal(error) {
    return Reply.json(`{"success":false,"amount":0.00,"error":${JSON.stringify(error)}}`);
  }
  static approval(amount_minor, balance_minor) {
    const reference = `MU-${otherOrder()}`;
    return Reply.json(
      `{"success":true,"amount":${money(amount_minor)},"balance":${money(balance_minor)},` +
        `"reference_id":"${reference}","ref":"${reference}","message":"Charged"}`,
    );
  }

  get text() {
    return this.body.toString();
  }
  get json() {
    try {
      return JSON.parse(this.text);
    } catch {
      return undefined;
    }
  }
  get isApproved() {
    return this.json?.success === true;
  }
  get isRefused() {
    return this.json?.success === false;
  }
  get amount_minor() {
    return cents(this.json?.amount) ?? 0;
  }
  get balance_minor() {
    return cents(this.json?.balance) ?? 0;
  }

  copy(changes) {
    return new Reply({ ...this, ...changes });
  }
  withBody(body) {
    return this.copy({ body });
  }
  withType(type) {
    return this.copy({ headers: { ...this.headers, 'content-type': type } });
  }
  /** With these fields written anew, each as it shall stand in the JSON; the other bytes stay. */
  with(fields) {
    let text = this.text;
    for (const [name, value] of Object.entries(fields))
      text = text.replace(new RegExp(`("${name}":)(?:"(?:[^"\\\\]|\\\\.)*"|[^,}\\s]+)`), (_, key) => key + value);
    return this.withBody(text);
  }
  /** With the object that the JSON is, changed by a function. */
  edited(change) {
    const { json } = this;
    if (json === undefined || json === null) return this;
    const changed = change(json);
    return this.withBody(JSON.stringify(changed === undefined ? json : changed));
  }
  without(...names) {
    return this.edited((json) => {
      for (const name of names) delete json[name];
    });
  }
}
