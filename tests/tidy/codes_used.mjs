// Every ERR_* and RESULT_* of the two lists is given by some line of the program: a code nobody gives is a promise nobody keeps.
import { FOLDERS, tokens } from "./source.mjs";

const LISTS = [
  { header: "base/error.h", entry: /\bX\((ERR_[A-Z0-9_]+),/g },
  { header: "ledger/operation.h", entry: /\bX\((RESULT_[A-Z0-9_]+),/g },
];

export function check(files) {
  const used = new Set();
  for (const file of files.filter((candidate) => candidate.isC && FOLDERS.includes(candidate.folder)))
    for (const { match } of tokens(file, /\b(?:ERR|RESULT)_[A-Z0-9_]+\b/g)) used.add(match[0]);
  const findings = [];
  for (const { header, entry } of LISTS)
    for (const file of files.filter((candidate) => candidate.path === header))
      for (const { path, line, match } of tokens(file, entry))
        if (!used.has(match[1])) findings.push({ path, line, text: `${match[1]} is never given` });
  return findings;
}

const list = "#define ERROR_LIST(X) \\\n    X(ERR_A, 1) \\\n    X(ERR_B, 2)\n";
export const samples = [
  { name: "both used", files: { "base/error.h": list, "store/a.c": "return ERR_A;\nreturn ERR_B;\n" }, expect: [] },
  { name: "one unused", files: { "base/error.h": list, "store/a.c": "return ERR_A; /* ERR_B */\n" }, expect: ["base/error.h:3"] },
  { name: "used by a test only", files: { "base/error.h": list, "store/a.c": "return ERR_A;\n", "tests/a.c": "ERR_B;\n" }, expect: ["base/error.h:3"] },
  { name: "a result", files: { "ledger/operation.h": "X(RESULT_OK, 0)\n", "ledger/a.c": "int a;\n" }, expect: ["ledger/operation.h:1"] },
];
