// Every function that a header declares is named by some line of the program besides its own: what only a test reaches
// is a feature that nobody has.
import { FOLDERS, tokens } from "./source.mjs";

const PROGRAM = [...FOLDERS, "mocks"];
const DECLARED = /^(?!.*\btypedef\b)[A-Za-z].*[ *]([a-z]\w*)\s*\(/;
/** What tests need to see or undo: each with its reason. */
const FOR_TESTS = [
  /^sql_\w+_text$/, // their plans are read
  /^store_rollback$/, // a fetch that nothing is decided with
  /^store_hot_generation$/, // what hot_raise raises
  /^id_luhn_is_valid$/, // that the numbers which are made are right
  /^oseries_api_find_customer$/, // the API as it is documented, for a link without a register
];

/** {name, line} of the functions that a header declares. */
function declared(file) {
  const code = file.code.join("\n").replaceAll(/\{[^{}]*\}/g, (text) => text.replaceAll(/[^\n]/g, " "));
  return code.split("\n").flatMap((text, index) => {
    const name = DECLARED.exec(text)?.[1];
    return name === undefined ? [] : [{ name, line: index + 1 }];
  });
}

export function check(files) {
  const program = files.filter((file) => PROGRAM.includes(file.folder));
  const named = new Map();
  for (const file of program)
    for (const { match } of tokens(file, /\b[a-z]\w*\b/g)) named.set(match[0], (named.get(match[0]) ?? 0) + 1);
  return program
    .filter((file) => !file.isC)
    .flatMap((file) =>
      declared(file)
        .filter(({ name }) => named.get(name) <= 2 && !FOR_TESTS.some((pattern) => pattern.test(name)))
        .map(({ name, line }) => ({ path: file.path, line, text: `${name} is called by nobody but tests` })),
    );
}

const header = "/* a_b(1) */\nint a_b(int c);\nstruct text *a_c(void);\nMUST_CHECK int a_d(int e,\n                   int f);\n";
const source = "int a_b(int c)\n{\n    return c;\n}\nstruct text *a_c(void)\n{\n}\nint a_d(int e, int f)\n{\n}\n";
export const samples = [
  { name: "called", files: { "store/a.h": header, "store/a.c": source, "service/b.c": "a_b(1); a_c(); a_d(1, 2);" }, expect: [] },
  { name: "as a pointer", files: { "store/a.h": header, "store/a.c": source, "service/b.c": "x = {a_b, a_c, a_d};" }, expect: [] },
  {
    name: "from a test, a comment and a text only",
    files: { "store/a.h": header, "store/a.c": source, "tests/a.c": "a_b(1);", "service/b.c": 'a_c(); /* a_d() */ x("a_d(1)");' },
    expect: ["store/a.h:2", "store/a.h:4"],
  },
  { name: "for tests", files: { "store/a.h": "const char *sql_work_text(int index);\n" }, expect: [] },
];
