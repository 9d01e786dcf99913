// Recording what goes over the wire, and sending it again.
import { h } from './dom.js';
import { change, changed, isRunning, store, tell } from './store.js';
import { icon, plural } from './view.js';

function record(on) {
  store.state.recording.is_on = on;
  return change('recording', 'POST', 'recording', { on });
}

const VERSION = 1; // RECORDING_VERSION in mocks/register/recording.h
const BYTES_MAX = 32 * 1024 * 1024;

function readLine(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

const isExchange = (line) => line.trim() === '' || Array.isArray(readLine(line)?.headers);

/** Why the register would not replay it: a file of something else is told from a recording before it is sent. */
function problemWith(text) {
  const [first, ...lines] = text.split('\n');
  const version = readLine(first)?.tillsim_recording;
  if (text.length > BYTES_MAX) return 'The file is larger than 32 MiB.';
  if (Number.isSafeInteger(version) && version > VERSION)
    return `The recording is of version ${version}; this till reads version ${VERSION}: replay it with a newer one.`;
  if (version !== VERSION) return 'This file is no till’s recording.';
  if (lines.every((line) => line.trim() === '')) return 'The recording is empty.';
  const bad = lines.findIndex((line) => !isExchange(line));
  if (bad >= 0 && bad === lines.length - 1 && readLine(lines[bad]) === null)
    return `Line ${bad + 2} is cut off: the file is not the whole recording.`;
  return bad < 0 ? '' : `Line ${bad + 2} is no exchange of a till’s recording.`;
}

const isReplaying = () => isRunning('replay') || store.state.recording.is_replaying;

async function replay(event) {
  const [file] = event.target.files;
  event.target.value = '';
  if (!file) return;
  const text = await file.text();
  const problem = problemWith(text);
  if (problem) return tell(problem, 'bad');
  const state = await change('replay', 'POST', 'replay', text);
  if (state?.recording.report) tell(`Replayed: ${plural(state.recording.report.differences, 'difference')}.`);
  changed();
}

const difference = (row) =>
  h(
    'li',
    { key: row.number },
    h('strong', {}, `#${row.number} ${row.action}`),
    row.differs.map(({ what, recorded, replayed }) => h('span', { key: what }, `${what}: ${recorded} → ${replayed}`)),
  );

function reportOf(report) {
  const rows = report.exchanges.filter((row) => !row.is_same);
  return h(
    'section',
    { class: 'part report' },
    h('h4', {}, 'Last replay'),
    h(
      'dl',
      { class: 'figures' },
      [
        ['Sent', report.sent],
        ['Same bytes', report.same_bytes],
        ['Differences', report.differences],
      ].map(([label, count]) => h('div', { key: label }, h('dt', {}, label), h('dd', {}, String(count)))),
    ),
    rows.length > 0 && h('ul', { class: 'differences' }, rows.map(difference)),
  );
}

const download = (count) =>
  count > 0
    ? h(
        'a',
        { class: 'button', href: '/_till/recording', download: 'till-recording.jsonl' },
        icon('download'),
        'Download',
      )
    : h('button', { type: 'button', disabled: true }, icon('download'), 'Download');

export function recordingTab() {
  const { recording } = store.state;
  return h(
    'div',
    { class: 'wire-body', key: 'recording' },
    h(
      'div',
      { class: 'fault' },
      h(
        'label',
        { class: 'switch', for: 'recording' },
        h('input', {
          id: 'recording',
          type: 'checkbox',
          role: 'switch',
          checked: recording.is_on,
          onchange: (event) => record(event.target.checked),
        }),
        h('span', {}, 'Record'),
      ),
      h(
        'p',
        { class: 'faint' },
        recording.is_full
          ? 'The recording is full.'
          : recording.is_on
            ? `${plural(recording.count, 'exchange')} so far.`
            : recording.count > 0
              ? `${plural(recording.count, 'exchange')} recorded. A new recording takes its place.`
              : 'Every exchange with its bytes, faults and times, as a file of JSON lines.',
      ),
    ),
    h(
      'div',
      { class: 'tools' },
      download(recording.count),
      h(
        'label',
        { class: 'button', for: 'replay' },
        icon('play'),
        isReplaying() ? 'Replaying…' : 'Replay a file',
        h('input', {
          id: 'replay',
          type: 'file',
          accept: '.jsonl,.ndjson,.json',
          class: 'hidden-text',
          onchange: replay,
        }),
      ),
      isReplaying() &&
        h('button', { type: 'button', onclick: () => change('stop', 'POST', 'replay/stop') }, 'Stop the replay'),
    ),
    h(
      'p',
      { class: 'faint' },
      'A replay goes to the addresses and with the token of the last Sync, and books nothing on a sale.',
    ),
    recording.report && reportOf(recording.report),
  );
}
