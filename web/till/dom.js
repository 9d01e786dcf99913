// Elements from descriptions, and a page brought up to date without losing focus, scroll position or typed text.
// Text only ever becomes text nodes and attributes: there is no way here to have markup parsed.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'path', 'circle', 'rect']);
/** What a user changes too: set as properties, and only where the description names them. */
const LIVE = new Set(['value', 'checked']);
/** Where text would become an address or a script. */
const FORBIDDEN = /^(on\w+|srcdoc|style)$/;

const descriptions = new WeakMap(); // node -> its properties

function dispatch(event) {
  descriptions.get(event.currentTarget)?.[`on${event.type}`]?.(event);
}

function setProperty(node, name, value, old) {
  if (name === 'key' || name === 'mount') return;
  if (typeof value === 'function' || typeof old === 'function') {
    const type = name.slice(2);
    if (typeof old !== 'function') node.addEventListener(type, dispatch);
    if (typeof value !== 'function') node.removeEventListener(type, dispatch);
    return;
  }
  if (FORBIDDEN.test(name)) throw new Error(`no ${name} in a description`);
  if (LIVE.has(name)) {
    if (value !== undefined && node[name] !== value) node[name] = value;
    return;
  }
  if (value === undefined || value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? '' : String(value));
}

function setProperties(node, properties, old = {}) {
  for (const name of Object.keys(old)) if (!(name in properties)) setProperty(node, name, undefined, old[name]);
  for (const [name, value] of Object.entries(properties)) setProperty(node, name, value, old[name]);
  descriptions.set(node, properties);
}

/** h('button', {class: 'quiet', onclick: pay}, 'Pay ', amount): children are nodes, texts, lists; false is left out. */
export function h(tag, properties, ...children) {
  const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  node.append(...nodesOf(children));
  setProperties(node, properties ?? {});
  return node;
}

function nodesOf(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== '')
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

const keyOf = (node) => descriptions.get(node)?.key;

const isSameKind = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

function update(node, wanted) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== wanted.data) node.data = wanted.data;
    return;
  }
  updateChildren(node, [...wanted.childNodes]);
  setProperties(node, descriptions.get(wanted) ?? {}, descriptions.get(node));
}

/** The child that may become the wanted one: of the same key wherever it is, else the next of the same kind. */
function findPartner(wanted, at, byKey) {
  const key = keyOf(wanted);
  if (key !== undefined) return byKey.get(key);
  return at && isSameKind(at, wanted) ? at : undefined;
}

function updateChildren(parent, wantedChildren) {
  const byKey = new Map();
  for (const child of parent.childNodes) if (keyOf(child) !== undefined) byKey.set(keyOf(child), child);
  let at = parent.firstChild;
  for (const wanted of wantedChildren) {
    const partner = findPartner(wanted, at, byKey);
    if (!partner || !isSameKind(partner, wanted)) {
      parent.insertBefore(wanted, at);
      continue;
    }
    if (partner === at) at = at.nextSibling;
    else parent.insertBefore(partner, at);
    update(partner, wanted);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

/** Brings the children of a parent to the description; nodes of the same kind and key stay, with what was typed. */
export function show(parent, ...children) {
  updateChildren(parent, nodesOf(children));
}
