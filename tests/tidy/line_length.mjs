// No line is wider than 100 columns, no tabs, no blanks at a line's end.
const COLUMNS_MAX = 100;

export function check(files) {
  const findings = [];
  for (const file of files)
    file.lines.forEach((line, i) => {
      const report = (text) => findings.push({ path: file.path, line: i + 1, text });
      if ([...line].length > COLUMNS_MAX) report(`${[...line].length} columns; at most ${COLUMNS_MAX}`);
      if (line.includes("\t")) report("a tab");
      if (/\s$/.test(line)) report("blanks at the end of the line");
    });
  return findings;
}

export const samples = [
  { name: "100 columns", files: { "base/a.c": `${"a".repeat(100)}\n` }, expect: [] },
  { name: "101 columns", files: { "base/a.c": `\n${"a".repeat(101)}\n` }, expect: ["base/a.c:2"] },
  { name: "a tab", files: { "base/a.c": "\tint a;\n" }, expect: ["base/a.c:1"] },
  { name: "a blank at the end", files: { "base/a.c": "int a; \n" }, expect: ["base/a.c:1"] },
];
