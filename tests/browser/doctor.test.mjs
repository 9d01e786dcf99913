// The doctor's page, which people open from a file: on a phone beside the register, on a desk, in the dark.
import assert from 'node:assert/strict';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, test } from 'node:test';
import { temporaryDirectory } from '../http/support.mjs';
import { PHONE, Reader, SIZES, Shop, startBrowser, stopBrowser } from './till.mjs';

let shop, file;

before(async () => {
  [shop] = await Promise.all([Shop.open(), startBrowser()]);
  file = path.join(temporaryDirectory(), 'doctor.html');
  const { code, stderr } = await shop.service.cli(['doctor', '--tenant', '1', '--html', file]);
  assert.equal(code, 1, stderr);
});
after(async () => {
  await stopBrowser();
  await shop?.close();
});

for (const size of SIZES) {
  test(`the doctor’s page fits ${size.width} pixels, and axe finds nothing serious on it`, async (t) => {
    const reader = await Reader.open(t, pathToFileURL(file).href, { size });
    await reader.fitsItsWindow('doctor');
    await reader.isAccessible('doctor');
    await reader.picture('doctor', { fullPage: true });
  });
}

test('on a phone a check’s state stands beside its title, and what was found has the whole width', async (t) => {
  const reader = await Reader.open(t, pathToFileURL(file).href, { size: PHONE });
  const rows = await reader.page.locator('tbody tr').evaluateAll((all) =>
    all.map((row) => {
      const boxes = [...row.cells].map((cell) => cell.getBoundingClientRect().toJSON());
      return { text: row.innerText, boxes, width: window.innerWidth };
    }),
  );
  assert.ok(rows.length > 20);
  for (const { text, boxes, width } of rows) {
    const [state, title, found] = boxes;
    assert.ok(state.left >= title.right && state.top < title.bottom && title.top < state.bottom, text);
    assert.ok(found.top >= title.bottom && found.left === title.left && found.width > 0.8 * width, text);
  }
});
