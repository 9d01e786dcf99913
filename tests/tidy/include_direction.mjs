// A folder includes only folders below it, and only the file that wraps a library includes that library's header.
import { FOLDERS } from "./source.mjs";

// Who may see which third-party header. Tests may look behind a wrapper where they prove something about it.
const WRAPPERS = [
  { header: /^h2o(\/|\.h$)/, files: /^(handlers|service)\/|^mocks\/lightspeed\/server(_errors)?\.[ch]$|^tests\/(handlers|bench|fuzz|service)\// },
  { header: /^json-c\//, files: /^tests\/fuzz\// },
  { header: /^glib(\/|\.h$)/, files: /^base\/(clock|fold)\.c$/ },
  { header: /^sqlite3\.h$/, files: /^store\/sqlite[a-z0-9_]*\.[ch]$|^tests\/(store|service)\// },
  { header: /^libpq-fe\.h$/, files: /^store\/postgres[a-z0-9_]*\.[ch]$|^tests\/(bench|store)\// },
  { header: /^systemd\//, files: /^service\/manager\.c$/ },
  { header: /^openssl\//, files: /^base\/(seal|id|digest)\.c$|^service\/tls\.[ch]$/ },
  { header: /^curl\//, files: /^(service|mocks\/[a-z]+)\/[a-z0-9_]+\.c$|^runtime\/http_call\.c$/ },
  { header: /^jwt\.h$/, files: /^oauth\/jwt\.c$|^tests\/oauth\// },
  { header: /^microhttpd\.h$/, files: /^mocks\/register\/till_server\.c$/ },
  { header: /^hiredis\//, files: /^store\/redis_link\.c$/ },
  { header: /^cmocka\.h$/, files: /^tests\// },
];
// The C library, POSIX and Linux: what needs no wrapper.
const SYSTEM = new Set(
  ("arpa/inet assert ctype dirent endian errno fcntl grp inttypes limits linux/futex netdb netinet/in netinet/tcp poll pthread pwd regex sched " +
    "semaphore setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings " +
    "sys/epoll sys/eventfd sys/file sys/ioctl sys/mman sys/prctl sys/random sys/resource sys/select sys/signalfd sys/socket sys/stat sys/statvfs sys/syscall sys/time sys/types " +
    "sys/uio sys/un sys/wait syslog termios time unistd getopt")
    .split(" ")
    .map((name) => `${name}.h`),
);

function mayInclude(file, folder) {
  if (file.folder === "tests") return folder !== "mocks" || file.path.startsWith("tests/mocks/");
  if (file.folder === "mocks") return folder === "base" || folder === "mocks";
  return FOLDERS.includes(folder) && FOLDERS.indexOf(folder) <= FOLDERS.indexOf(file.folder);
}

function judge(file, bracket, target) {
  if (bracket === '"') {
    if (!target.includes("/") && file.folder === "tests") return null; // helpers of one suite
    if (!target.includes("/")) return `"${target}": name the header from the root, as "folder/file.h"`;
    const folder = target.split("/")[0];
    return mayInclude(file, folder) ? null : `${file.folder}/ must not include ${folder}/`;
  }
  const wrapper = WRAPPERS.find((candidate) => candidate.header.test(target));
  if (wrapper) return wrapper.files.test(file.path) ? null : `<${target}> belongs behind its wrapper`;
  return SYSTEM.has(target) ? null : `<${target}> is neither a system header nor a wrapped library`;
}

export function check(files) {
  const findings = [];
  for (const file of files)
    file.lines.forEach((line, i) => {
      const include = /^\s*#\s*include\s*(["<])([^">]+)[">]/.exec(line);
      const text = include && judge(file, include[1], include[2]);
      if (text) findings.push({ path: file.path, line: i + 1, text });
    });
  return findings;
}

export const samples = [
  { name: "below", files: { "store/a.c": '#include "ledger/ledger.h"\n#include "store/b.h"\n#include <stdio.h>\n' }, expect: [] },
  { name: "above", files: { "ledger/a.c": '#include "store/store.h"\n' }, expect: ["ledger/a.c:1"] },
  { name: "header above", files: { "base/a.h": '#include "ledger/ledger.h"\n' }, expect: ["base/a.h:1"] },
  { name: "into the tests", files: { "service/a.c": '\n#include "tests/support/a.h"\n' }, expect: ["service/a.c:2"] },
  { name: "the simulator", files: { "mocks/register/a.c": '#include "store/store.h"\n' }, expect: ["mocks/register/a.c:1"] },
  { name: "not from the root", files: { "base/a.c": '#include "a.h"\n' }, expect: ["base/a.c:1"] },
  { name: "h2o", files: { "runtime/a.c": "#include <h2o.h>\n", "handlers/a.c": "#include <h2o.h>\n" }, expect: ["runtime/a.c:1"] },
  { name: "h2o in the fake cloud", files: { "mocks/lightspeed/server.c": "#include <h2o.h>\n", "mocks/lightspeed/api.c": "#include <h2o.h>\n" }, expect: ["mocks/lightspeed/api.c:1"] },
  { name: "json-c", files: { "tests/fuzz/a.c": "#include <json-c/json.h>\n", "base/a.c": "#include <json-c/json.h>\n" }, expect: ["base/a.c:1"] },
  { name: "glib", files: { "base/clock.c": "#include <glib.h>\n", "base/text.c": "#include <glib.h>\n" }, expect: ["base/text.c:1"] },
  { name: "sqlite", files: { "store/sqlite.c": "#include <sqlite3.h>\n", "store/hot.c": "#include <sqlite3.h>\n" }, expect: ["store/hot.c:1"] },
  { name: "libpq", files: { "store/postgres_driver.c": "#include <libpq-fe.h>\n", "store/sql.c": "#include <libpq-fe.h>\n" }, expect: ["store/sql.c:1"] },
  { name: "openssl", files: { "base/seal.c": "#include <openssl/evp.h>\n", "base/text.c": "#include <openssl/evp.h>\n" }, expect: ["base/text.c:1"] },
  { name: "curl", files: { "mocks/register/a.c": "#include <curl/curl.h>\n", "handlers/a.c": "#include <curl/curl.h>\n" }, expect: ["handlers/a.c:1"] },
  { name: "hiredis", files: { "store/redis_link.c": "#include <hiredis/hiredis.h>\n", "store/hot_redis.c": "#include <hiredis/async.h>\n" }, expect: ["store/hot_redis.c:1"] },
  { name: "a stranger", files: { "base/a.c": "#include <boost.h>\n" }, expect: ["base/a.c:1"] },
];
