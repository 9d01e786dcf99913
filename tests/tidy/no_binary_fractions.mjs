// Law 7: money never meets binary floating point, so the words do not appear at all.
import { tokens } from "./source.mjs";

const WORDS = /\b(double|float|strtod|strtof|atof|json_object_get_double|sqlite3_column_double|sqlite3_bind_double)\b/g;

export function check(files) {
  const findings = [];
  for (const file of files)
    for (const { path, line, match } of tokens(file, WORDS)) findings.push({ path, line, text: `"${match[0]}": amounts are int64_t minor units` });
  return findings;
}

export const samples = [
  { name: "a variable", files: { "ledger/a.c": "int a;\ndouble amount;\n" }, expect: ["ledger/a.c:2"] },
  { name: "a cast", files: { "store/a.c": "x = (float)y;\n" }, expect: ["store/a.c:1"] },
  { name: "a parser", files: { "base/a.h": "x = strtod(s, 0);\n" }, expect: ["base/a.h:1"] },
  { name: "in words only", files: { "base/a.c": '/* no double here */\n// float\nputs("double \\" float");\nint doubled;\n' }, expect: [] },
];
