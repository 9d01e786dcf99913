// docs/openapi.yaml as a judge: is this exchange one that it documents? support.mjs asks it about every exchange with a
// service under test, so that no reply leaves the file without somebody noticing. Read and compiled when first asked.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const FILE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../docs/openapi.yaml');
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

// --- the document --------------------------------------------------------------------------------

let document, ajv, operations;

/** The parsed file. */
export function spec() {
  document ??= require('yaml').parse(fs.readFileSync(FILE, 'utf8'));
  return document;
}

const escapePointer = (name) => name.replaceAll('~', '~0').replaceAll('/', '~1');
const unescapePointer = (name) => decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~');

/** What a JSON pointer such as #/components/responses/Busy names; undefined: nothing. */
export function at(pointer, root = spec()) {
  let value = root;
  for (const name of pointer.split('/').slice(1)) value = value?.[unescapePointer(name)];
  return value;
}

/** A place in the document, behind its $refs: [value, pointer]. */
function place(value, pointer) {
  while (value?.$ref) {
    pointer = value.$ref;
    value = at(pointer);
  }
  return [value, pointer];
}

const validators = new Map();

/** The validator of the schema at a pointer. */
function validatorAt(pointer) {
  if (!ajv) {
    const Ajv = require('ajv/dist/2020.js');
    ajv = new Ajv({ strict: false, validateFormats: true });
    require('ajv-formats')(ajv, ['date', 'date-time', 'uri']);
    ajv.addSchema(spec(), 'spec', undefined, false);
  }
  if (!validators.has(pointer)) validators.set(pointer, ajv.compile({ $ref: `spec${pointer}` }));
  return validators.get(pointer);
}

/** Why a value does not fit the schema at a pointer; undefined when it does. */
export function misfit(value, pointer) {
  const validate = validatorAt(pointer);
  if (validate(value)) return undefined;
  return validate.errors
    .slice(0, 4)
    .map(({ instancePath, message, params }) => `${instancePath || 'it'} ${message} ${JSON.stringify(params)}`)
    .join('; ');
}

/** All operations: {id, method, path, pattern, isPublic, isLocal, value, pointer, item}; the most exact path first. */
export function specOperations() {
  operations ??= Object.entries(spec().paths)
    .flatMap(([template, item]) =>
      METHODS.filter((method) => item[method]).map((method) => ({
        id: item[method].operationId,
        method: method.toUpperCase(),
        path: template,
        pattern: patternOf(template),
        variables: template.split('{').length - 1,
        isPublic: !item[method].tags.includes('local'),
        isLocal: item[method].tags.some((tag) => tag === 'local' || tag === 'operations'),
        value: item[method],
        pointer: `#/paths/${escapePointer(template)}/${method}`,
        item,
      })),
    )
    .sort((a, b) => a.variables - b.variables);
  return operations;
}

// {topic} is all that is left of a path, {key} one segment.
const patternOf = (template) =>
  new RegExp(
    `^${template
      .split(/(\{\w+\})/)
      .map((part) =>
        part === '{topic}' ? '(.+)' : part.startsWith('{') ? '([^/]*)' : part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'),
      )
      .join('')}$`,
  );

/** The parameters of an operation with those of its path: [value, pointer]. */
export function parametersOf(operation) {
  const ofPath = `${operation.pointer.slice(0, operation.pointer.lastIndexOf('/'))}/parameters`;
  const listed = (list, pointer) => (list ?? []).map((value, i) => place(value, `${pointer}/${i}`));
  return [
    ...listed(operation.item.parameters, ofPath),
    ...listed(operation.value.parameters, `${operation.pointer}/parameters`),
  ];
}

// --- finding -------------------------------------------------------------------------------------

// What the HTTP parser or the framing check may say before anybody looks at path or method.
const BEFORE_ROUTING = { 400: 'BadRequest', 413: 'TooLarge', 417: 'UnknownExpectation', 500: 'OurFault' };
const UNKNOWN_PATH = { id: 'unknown path', responses: { 404: 'UnknownPath', ...BEFORE_ROUTING } };

/** What stands for a method that a path does not have: all its operations tell alike how that is answered. */
const wrongMethod = (served) => ({ id: 'wrong method', ofPath: served.filter(({ path }) => path === served[0].path) });

/** The operation that a request is for, or one that stands for none. HEAD is answered where GET is. */
export function findOperation(method, target, isLocal = false) {
  const pathname = target.split('?')[0];
  const served = specOperations().filter((one) => (isLocal ? one.isLocal : one.isPublic) && one.pattern.test(pathname));
  if (served.length === 0) return UNKNOWN_PATH;
  const wanted = method === 'HEAD' ? 'GET' : method;
  return served.find((one) => one.method === wanted) ?? wrongMethod(served);
}

/** [response, pointer] that the operation documents for a status; [undefined] when there is none. */
function responseOf(operation, status) {
  if (operation.responses) {
    const name = operation.responses[status];
    return name ? place({ $ref: `#/components/responses/${name}` }) : [undefined];
  }
  const { value, pointer } = operation.ofPath?.[0] ?? operation;
  return place(value.responses[status], `${pointer}/responses/${status}`);
}

// --- judging -------------------------------------------------------------------------------------

const mediaType = (value) =>
  String(value ?? '')
    .split(';')[0]
    .trim()
    .toLowerCase();

function judgeHeaders(reply, [response, pointer]) {
  for (const name of Object.keys(response.headers ?? {})) {
    const [header, headerPointer] = place(response.headers[name], `${pointer}/headers/${name}`);
    const value = reply.headers[name.toLowerCase()];
    if (value === undefined && header.required) return `the header ${name} is missing`;
    const wrong = value === undefined ? undefined : misfit(String(value), `${headerPointer}/schema`);
    if (wrong) return `the header ${name}: ${wrong}`;
  }
  return undefined;
}

function judgeBody(reply, [response, pointer]) {
  const type = mediaType(reply.headers['content-type']);
  if (!response.content?.[type]) return `the content type '${type}' is not documented`;
  let value = reply.text;
  if (type === 'application/json') {
    try {
      value = JSON.parse(reply.text);
    } catch (error) {
      return `no JSON: ${error.message}`;
    }
  }
  return misfit(value, `${pointer}/content/${escapePointer(type)}/schema`);
}

/** Why a reply {status, headers, text} is none that the operation documents; undefined when it is. */
export function judgeReply(operation, method, reply) {
  const found = responseOf(operation, reply.status);
  if (!found[0]) return `the status ${reply.status} is not documented`;
  const ofHeaders = reply.isPartial ? undefined : judgeHeaders(reply, found);
  if (ofHeaders) return ofHeaders;
  if (method === 'HEAD') return reply.text === '' ? undefined : 'HEAD has a body';
  const length = reply.headers['content-length'];
  if (length !== undefined && Number(length) !== Buffer.byteLength(reply.text)) return `Content-Length is ${length}`;
  return judgeBody(reply, found);
}

/** The fields of a body: JSON when its first visible byte says so, else a form, as the service has it. */
export function readBody(text) {
  if (text.trim() === '') return { type: undefined, value: {} };
  if (text.trim().startsWith('{')) return { type: 'application/json', value: JSON.parse(text) };
  return { type: 'application/x-www-form-urlencoded', value: Object.fromEntries(new URLSearchParams(text)) };
}

function judgeRequestBody(operation, request) {
  const [body, pointer] = place(operation.value.requestBody, `${operation.pointer}/requestBody`);
  const text = String(request.body ?? '');
  if (!body) return undefined; // what nobody reads
  if (text === '') return body.required ? 'the body is missing' : undefined;
  if (body.content['*/*']) return undefined;
  const { type, value } = readBody(text);
  if (!body.content[type]) return type === undefined ? 'the body is blank' : `a body of ${type} is not documented`;
  return misfit(value, `${pointer}/content/${escapePointer(type)}/schema`);
}

function judgeParameters(operation, request) {
  const [pathname, ...rest] = request.target.split('?');
  const query = new URLSearchParams(rest.join('?'));
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const values = pathname.match(operation.pattern).slice(1);
  const ofPath = Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(values[i])]));
  for (const [parameter, pointer] of parametersOf(operation)) {
    const { name } = parameter;
    const value = {
      path: () => ofPath[name],
      query: () => query.get(name) || undefined,
      header: () => header(request, name),
    }[parameter.in]();
    if (value === undefined && parameter.required) return `the ${parameter.in} parameter ${name} is missing`;
    const wrong = value === undefined ? undefined : misfit(value, `${pointer}/schema`);
    if (wrong) return `the ${parameter.in} parameter ${name}: ${wrong}`;
  }
  return undefined;
}

function header(request, wanted) {
  const found = Object.entries(request.headers ?? {}).find(([name]) => name.toLowerCase() === wanted.toLowerCase());
  return found === undefined ? undefined : String(found[1]);
}

/** Why a request {method, target, headers, body} is none that the operation documents. */
export function judgeRequest(operation, request) {
  return judgeParameters(operation, request) ?? judgeRequestBody(operation, request);
}

/** Did it do what was asked? A business refusal is 200 too. */
export function hasSucceeded(reply) {
  if (reply.status >= 400) return false;
  if (!/^application\/json/.test(reply.headers['content-type'] ?? '')) return true;
  try {
    const json = JSON.parse(reply.text || '{}');
    return json.success !== false && Object.keys(json).join() !== 'error';
  } catch {
    return false;
  }
}

// --- what was seen -------------------------------------------------------------------------------

const seen = new Set();
const violations = [];
const exceptions = new Map(); // tenant key: {what, reason, count}

/**
 * From here to the call of what it returns, exchanges with this tenant are not what docs/openapi.yaml says, because
 * `reason`. what: 'replies' (names or statuses of its own; requests neither) or 'requests' (it takes more).
 */
export function outsideTheSpec(tenant, what, reason) {
  exceptions.set(tenant.key, { what, reason, count: 0 });
  return () => {
    const { count } = exceptions.get(tenant.key);
    exceptions.delete(tenant.key);
    console.log(`# outside docs/openapi.yaml: ${count} exchanges, ${reason}`);
  };
}

function exceptionFor(target) {
  const exception = exceptions.get(target.split('/')[2]);
  if (exception) exception.count++;
  return exception?.what;
}

function describe(request, reply, operation, problem) {
  const asked = `${request.method} ${request.target}`.slice(0, 200);
  const told = `${asked} -> ${reply.status}\n${reply.text.slice(0, 600)}`;
  return `docs/openapi.yaml does not allow this (${operation.id}): ${problem}\n${told}`;
}

function judge(operation, request, reply, exception) {
  if (exception === 'replies') return undefined;
  const ofReply = judgeReply(operation, request.method, reply);
  if (ofReply) return ofReply;
  const isDone = operation.value !== undefined && hasSucceeded(reply);
  const isHead = request.method === 'HEAD';
  const isRefused = !isDone && reply.status === 200;
  for (const { id } of operation.ofPath ?? [operation])
    seen.add(`${id} ${reply.status}${isHead && reply.status < 400 ? ' HEAD' : isRefused ? ' refused' : ''}`);
  if (!isDone || isHead || request.isRaw || exception === 'requests') return undefined;
  const ofRequest = judgeRequest(operation, request);
  return ofRequest && `it was done, but ${ofRequest}`;
}

/**
 * An exchange with a service under test: request {method, target, headers, body, isLocal, isRaw}, reply {status,
 * headers, text, isPartial}. isRaw: bytes that are no sound request on purpose. isPartial: not all headers are known.
 * Gives what is wrong, or undefined; and the process fails in the end whatever becomes of that.
 */
export function observe(request, reply) {
  const isNoHttp = request.isRaw && reply.status === 400 && reply.text === 'Bad Request';
  if (isNoHttp) return undefined; // the HTTP parser's own word
  const operation = findOperation(request.method, request.target, request.isLocal);
  const problem = judge(operation, request, reply, exceptionFor(request.target));
  if (!problem) return undefined;
  violations.push(describe(request, reply, operation, problem));
  return violations.at(-1);
}

/** `counterpart NOUN VERB ...` as it ended: its JSON is the body of the admin socket's reply, unless it was paged. */
export function observeCommand(args, { code, json }) {
  const target = `/admin/${args[0]}/${args[1]}`;
  const operation = specOperations().find((one) => one.path === target);
  const isPaged = ['member import', 'foreign-orders report'].includes(`${args[0]} ${args[1]}`);
  if (!operation || isPaged || json === undefined) return undefined;
  const text = JSON.stringify(json);
  const headers = { 'content-type': 'application/json' };
  if (code !== 0) return observeUnknownStatus(operation, { headers, text });
  const request = { method: operation.method, target, isLocal: true };
  if (operation.method === 'POST') request.body = JSON.stringify(fieldsOf(operation, args.slice(2)));
  else request.target += `?${new URLSearchParams(fieldsOf(operation, args.slice(2)))}`;
  return observe(request, { status: 200, headers, text, isPartial: true });
}

/** --a-flag value, --a-flag=value and --switch as the command line makes fields of them. */
function fieldsOf(operation, words) {
  const pointer = `${operation.pointer}/requestBody/content/${escapePointer('application/json')}/schema`;
  const [schema] = place(at(pointer), pointer);
  const fields = {};
  for (let i = 0; i < words.length; i++) {
    const [flag, value] = words[i].split(/=(.*)/s);
    const name = flag.replace(/^--/, '').replaceAll('-', '_');
    if (name === 'json') continue;
    if (schema?.properties?.[name]?.type === 'boolean') fields[name] = true;
    else fields[name] = value ?? words[++i];
    if (fields[name] === '-') fields[name] = '0000'; // a secret, which standard input has
  }
  return fields;
}

/** The command line does not tell the status of a refusal: it must be a body of one of them. */
function observeUnknownStatus(operation, reply) {
  const statuses = Object.keys(operation.value.responses).filter((status) => status >= '400');
  const problems = statuses.map((status) =>
    judgeReply(operation, operation.method, { ...reply, status, isPartial: true }),
  );
  if (problems.includes(undefined)) return undefined;
  violations.push(
    describe({ method: operation.method, target: operation.path }, { ...reply, status: 0 }, operation, problems[0]),
  );
  return violations.at(-1);
}

/** What tillsim has told with --json: each request with its replies, at whatever depth. */
export function observeTill(told, isServed) {
  if (told === null || typeof told !== 'object') return undefined;
  const { request, replies } = told;
  if (!request?.url || !Array.isArray(replies))
    return Object.values(told)
      .map((inner) => observeTill(inner, isServed))
      .find(Boolean);
  if (!isServed(request.url)) return undefined;
  const { pathname, search } = new URL(request.url);
  return replies
    .filter(({ body, content_length }) => body !== undefined && Buffer.byteLength(body) === Number(content_length))
    .map(({ status, content_type, content_length, body }) =>
      observe(
        { method: request.method, target: pathname + search, headers: request.headers, body: request.body },
        {
          status,
          headers: { 'content-type': content_type, 'content-length': content_length },
          text: body,
          isPartial: true,
        },
      ),
    )
    .find(Boolean);
}

/** What the suites have seen, for tests/http/contract_seen.mjs: one file per process. */
function writeSeen() {
  if (process.env.COUNTERPART_SEEN && seen.size > 0)
    fs.appendFileSync(path.join(process.env.COUNTERPART_SEEN, String(process.pid)), `${[...seen].join('\n')}\n`);
  if (violations.length === 0) return;
  console.error(`${violations.length} exchanges are not as docs/openapi.yaml has them; the first:\n${violations[0]}`);
  process.exitCode = 1;
}
process.on('exit', writeSeen);
