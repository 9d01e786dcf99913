// A function of a shell script stands once: the shell takes the last one without a word, so a merge that keeps both
// sides of a change may switch off what the other one did.
import { readShell } from "./source.mjs";

export const readFiles = readShell;

const DEFINITION = /^(?:function\s+)?([A-Za-z_]\w*)\s*\(\)/;

export function check(files) {
  const findings = [];
  for (const file of files) {
    const seen = new Map();
    for (const [index, line] of file.lines.entries()) {
      const name = DEFINITION.exec(line)?.[1];
      if (name === undefined) continue;
      const first = seen.get(name);
      if (first === undefined) seen.set(name, index + 1);
      else findings.push({ path: file.path, line: index + 1, text: `${name} stands at line ${first} already` });
    }
  }
  return findings;
}

export const samples = [
  { name: "twice", files: { dev: "a() {\n    :\n}\nb() { :; }\na() { b; }\n" }, expect: ["dev:5"] },
  { name: "with the word", files: { "docker/x.sh": "function a() {\n}\na() {\n}\n" }, expect: ["docker/x.sh:3"] },
  { name: "in two files", files: { dev: "a() { :; }\n", "docker/x.sh": "a() { :; }\n" }, expect: [] },
  { name: "calls", files: { dev: "a() { :; }\na\na b()\n  a() { :; }\n" }, expect: [] },
];
