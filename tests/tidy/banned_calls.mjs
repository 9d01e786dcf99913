// Calls nobody makes: unbounded writes, hidden state, and time or randomness anywhere but at their source (law 8).
import { tokens } from "./source.mjs";

const EVERYWHERE =
  /\b(sprintf|vsprintf|strcpy|stpcpy|strcat|strncpy|strncat|strtok|atoi|atol|atoll|gets|rand|rand_r|srand|random|srandom|drand48|gmtime|gmtime_r|localtime|localtime_r|mktime|ctime|asctime|strftime|tzset|alloca|tmpnam|mktemp|system|popen|setjmp|longjmp)\s*\(/g;
const SOURCES =
  /\b(time|gettimeofday|clock_gettime|clock|getrandom|getentropy|arc4random|RAND_bytes|RAND_priv_bytes)\s*\(/g;
// The two places where time and randomness enter. Tests may ask for a seed or measure.
const SOURCE_FILES = /^base\/(clock|id)\.c$|^tests\//;
// Compares our calendar with glibc's.
const CALENDAR_TEST = "tests/base/test_clock.c";

const INCLUDE = /^#include (["<][^">]+[">])/;

// base/banned.h makes the worst of them compile errors, in what is included before it and in the file itself.
function lastInclude(file) {
  const last = file.lines.findLastIndex((line) => INCLUDE.test(line));
  const isThere = last >= 0 && INCLUDE.exec(file.lines[last])[1] === '"base/banned.h"';
  return isThere ? [] : [{ path: file.path, line: last + 1, text: "base/banned.h is included last in every .c" }];
}

export function check(files) {
  const findings = [];
  for (const file of files) {
    if (file.isC && file.folder !== "tests") findings.push(...lastInclude(file));
    if (file.path === CALENDAR_TEST) continue;
    for (const { path, line, match } of tokens(file, EVERYWHERE)) findings.push({ path, line, text: `${match[1]} is banned` });
    if (SOURCE_FILES.test(file.path)) continue;
    for (const { path, line, match } of tokens(file, SOURCES))
      findings.push({ path, line, text: `${match[1]}: clock and randomness are passed in (base/clock.h, base/id.h)` });
  }
  return findings;
}

const BANNED = '#include "base/banned.h"\n';
export const samples = [
  { name: "unbounded", files: { "base/a.c": BANNED + "sprintf(a, b);\nsnprintf(a, 1, b);\n" }, expect: ["base/a.c:2"] },
  { name: "hidden state", files: { "tests/base/a.c": "x = strtok (a, b);\n" }, expect: ["tests/base/a.c:1"] },
  { name: "a clock inside", files: { "ledger/a.c": BANNED + "now = time(NULL);\n", "base/clock.c": BANNED + "clock_gettime(a, b);\n" }, expect: ["ledger/a.c:2"] },
  { name: "alike names", files: { "base/a.c": BANNED + "my_strcpy(a); h2o_gettimeofday(b); received_time(c); /* rand() */\n" }, expect: [] },
  { name: "no banned.h", files: { "store/a.c": '#include "store/a.h"\n' }, expect: ["store/a.c:1"] },
  { name: "banned.h too early", files: { "store/a.c": BANNED + "#include <stdlib.h>\n" }, expect: ["store/a.c:2"] },
  { name: "tests may", files: { "tests/base/a.c": "#include <cmocka.h>\n", "base/a.h": "int a;\n" }, expect: [] },
];
