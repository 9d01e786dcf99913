// A file opens with a comment that says what it is.
export function check(files) {
  const findings = [];
  for (const file of files) {
    const opening = /^\/\*([\s\S]*?)\*\/|^((?:\/\/[^\n]*\n)+)/.exec(file.content);
    const words = opening ? (opening[1] ?? opening[2]).match(/[A-Za-z]{2,}/g) : null;
    if (!words || words.length < 4) findings.push({ path: file.path, line: 1, text: "open the file with a sentence on its job" });
  }
  return findings;
}

export const samples = [
  { name: "code first", files: { "base/a.c": "#include <stdio.h>\n/* Too late to say anything here. */\n" }, expect: ["base/a.c:1"] },
  { name: "no sentence", files: { "base/a.h": "/* a.h */\n" }, expect: ["base/a.h:1"] },
  { name: "a sentence", files: { "base/a.c": "/*\n * Adds things up, and nothing else.\n */\n" }, expect: [] },
];
