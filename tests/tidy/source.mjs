// What all checks of tests/tidy stand on: the tree's C files, and their text with comments and strings blanked out.
import { readdirSync, readFileSync, existsSync } from "node:fs";
import { join } from "node:path";

export const FOLDERS = ["base", "ledger", "store", "runtime", "oauth", "lightspeed", "handlers", "service"];
const ROOTS = [...FOLDERS, "mocks", "tests"];
const SKIPPED = new Set(["node_modules", "build", "var", "corpus"]);

/** A file under check: path from the root, its lines, and `code`: the same lines without comments and literals. */
export class SourceFile {
  constructor(path, content) {
    this.path = path;
    this.content = content;
    this.lines = content.split("\n");
    const blanked = blank(content);
    this.code = blanked.code.split("\n");
    this.comments = blanked.comments.split("\n");
  }
  get folder() {
    return this.path.split("/")[0];
  }
  get isC() {
    return this.path.endsWith(".c");
  }
}

// Two copies of the text, equally long: one keeps only code, the other only comments.
function blank(content) {
  const code = [];
  const comments = [];
  const put = (character, inCode, inComment) => {
    code.push(inCode || character === "\n" ? character : " ");
    comments.push(inComment || character === "\n" ? character : " ");
  };
  let state = "code";
  for (let i = 0; i < content.length; i++) {
    const character = content[i];
    const next = content[i + 1];
    if (state === "code") {
      if (character === "/" && (next === "*" || next === "/")) state = next === "*" ? "block" : "line";
      else if (character === '"' || character === "'") state = character;
      put(character, state === "code" || character === state, state === "block" || state === "line");
      if (state === "block") put(content[++i], false, true);
    } else if (state === "line") {
      if (character === "\n") state = "code";
      put(character, false, true);
    } else if (state === "block") {
      put(character, false, true);
      if (character === "*" && next === "/") {
        put(content[++i], false, true);
        state = "code";
      }
    } else {
      const isEnd = character === state || character === "\n";
      put(character, character === state, false);
      if (character === "\\" && next !== undefined) put(content[++i], false, false);
      if (isEnd) state = "code";
    }
  }
  return { code: code.join(""), comments: comments.join("") };
}

function readNamed(root, folders, name) {
  const files = [];
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) walk(path);
      else if (entry.isFile() && name.test(entry.name)) files.push(readOne(root, path));
    }
  };
  for (const folder of folders) if (existsSync(join(root, folder))) walk(folder);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
const readOne = (root, path) => new SourceFile(path, readFileSync(join(root, path), "utf8"));

/** The C files. */
export const readTree = (root) => readNamed(root, ROOTS, /\.[ch]$/);

/** The shell scripts: ./dev, and what ends in .sh. */
export const readShell = (root) => [readOne(root, "dev"), ...readNamed(root, [...ROOTS, "docker"], /\.sh$/)];

/** Every code token `pattern` (a RegExp with the g flag) as {path, line, text}. */
export function* tokens(file, pattern) {
  for (let i = 0; i < file.code.length; i++)
    for (const match of file.code[i].matchAll(pattern)) yield { path: file.path, line: i + 1, match };
}
