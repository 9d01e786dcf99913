// Bytes made visible: what cannot be seen, or would change how the text beside it is shown, is written out.

// Controls but line feed, soft hyphen, zero-width, line and paragraph separators, direction marks, the byte order mark.
const UNSEEN =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

const escaped = (character) => {
  const code = character.codePointAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
};

export const visible = (text) => text.replace(UNSEEN, escaped);

/** Base64 -> one line per 16 bytes: offset, hex, characters. */
export function hexOf(base64, linesMax = 64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const lines = [];
  for (let at = 0; at < bytes.length && lines.length < linesMax; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(' ')
      .padEnd(47);
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex}  ${text}`);
  }
  if (bytes.length > linesMax * 16) lines.push(`… ${bytes.length - linesMax * 16} bytes more`);
  return lines.join('\n');
}

/** JSON with line breaks and indents, every other character as it stands: numbers keep their digits. */
export function indented(text) {
  let depth = 0;
  const breakLine = () => `\n${'  '.repeat(Math.max(depth, 0))}`;
  const marks = {
    '{': (mark) => {
      depth++;
      return mark + breakLine();
    },
    '}': (mark) => {
      depth--;
      return breakLine() + mark;
    },
    ',': (mark) => mark + breakLine(),
    ':': (mark) => `${mark} `,
  };
  marks['['] = marks['{'];
  marks[']'] = marks['}'];
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+|"/gs) ?? [];
  return tokens
    .map((token) => marks[token]?.(token) ?? token)
    .join('')
    .replace(/([{[])\s+([}\]])/g, '$1$2');
}

/** How many bytes a text is in UTF-8. */
export const sizeOf = (text) => new TextEncoder().encode(text).length;
