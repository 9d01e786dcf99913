// No function is longer than 70 lines, from its name to its closing brace.
const LINES_MAX = 70;

// clang-format puts a function's braces into column 0 and nothing else's.
export function check(files) {
  const findings = [];
  for (const file of files) {
    let start = -1;
    file.code.forEach((line, i) => {
      if (line.startsWith("{")) start = signatureStart(file.code, i);
      if (line.startsWith("}") && start >= 0) {
        const length = i - start + 1;
        if (length > LINES_MAX) findings.push({ path: file.path, line: start + 1, text: `a function of ${length} lines; the wall is ${LINES_MAX}` });
        start = -1;
      }
    });
  }
  return findings;
}

function signatureStart(code, brace) {
  let start = brace;
  while (start > 0 && /\S/.test(code[start - 1]) && !/[;}]\s*$|^#/.test(code[start - 1])) start--;
  return start;
}

const body = (lines) => `static int f(int a,\n             int b)\n{\n${"    g();\n".repeat(lines)}}\n`;
export const samples = [
  { name: "70 lines", files: { "base/a.c": body(66) }, expect: [] },
  { name: "71 lines", files: { "base/a.c": `int x;\n\n${body(67)}` }, expect: ["base/a.c:3"] },
  { name: "the second of two", files: { "tests/base/a.c": body(3) + body(80) }, expect: ["tests/base/a.c:8"] },
  { name: "a long table is no function", files: { "base/a.c": `static const int t[] = {\n${"    1,\n".repeat(90)}};\n` }, expect: [] },
];
