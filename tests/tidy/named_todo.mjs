// A note about work left names who will do it: NOTE(name), not a bare note.
const BARE = /\b(TODO|FIXME|XXX|HACK)\b(?!\([a-z][a-z .-]+\))/;

export function check(files) {
  const findings = [];
  for (const file of files)
    file.comments.forEach((line, i) => {
      if (BARE.test(line)) findings.push({ path: file.path, line: i + 1, text: "a note about work left needs a name: TODO(name)" });
    });
  return findings;
}

export const samples = [
  { name: "bare", files: { "base/a.c": "int a; /* TODO later */\n" }, expect: ["base/a.c:1"] },
  { name: "bare, second line", files: { "base/a.c": "/* one\n * FIXME: two */\n" }, expect: ["base/a.c:2"] },
  { name: "named", files: { "base/a.c": "/* TODO(maintainer): later */\n" }, expect: [] },
];
