// What a script puts on the disk, and when: the real sync, with a note of each call. Nothing else can tell, short of
// cutting the power.
import fs from 'node:fs';
import path from 'node:path';

import { temporaryDirectory } from './support.mjs';

/** watched: a folder of which each call notes the names. read() gives the calls since the last time. */
export function spyOnSync(watched) {
  const folder = temporaryDirectory();
  const notes = path.join(folder, 'notes');
  const note = '{ printf "%s\\n" "$*"; ls "$SPY_WATCHED" | tr "\\n" " "; echo; } >>"$SPY_NOTES"';
  const script = `#!/bin/sh\n${note}\nPATH=\${PATH#*:} exec sync "$@"\n`;
  fs.writeFileSync(path.join(folder, 'sync'), script, { mode: 0o755 });
  return {
    env: { PATH: `${folder}:${process.env.PATH}`, SPY_WATCHED: watched, SPY_NOTES: notes },
    read() {
      const lines = fs.readFileSync(notes, 'utf8').trimEnd().split('\n');
      fs.rmSync(notes);
      const words = (line) => line.trim().split(' ');
      return lines.flatMap((line, i) => (i % 2 ? [] : [{ words: words(line), there: words(lines[i + 1]) }]));
    },
  };
}
