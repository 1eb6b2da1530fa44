// What the server could not send stands between the events, counted: node losses.mjs <address>. See house.mjs.
import { accessible, assert, live, logInByToken, please, rowsOf, run, watched } from './house.mjs';

const [address] = process.argv.slice(2);

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  const consoleIsClean = watched(page);
  await page.setViewportSize({ width: 1280, height: 8000 }); // all rows can be seen
  await page.goto(address);
  const { token } = await please('token');
  await logInByToken(page, token);
  await live(page, address, 'qname under "example.com"');
  const rows = rowsOf(page);
  const rate = page.locator('.rate');

  await please('query', { name: 'before.example.com' });
  await rows.filter({ hasText: 'before.example.com' }).waitFor();
  assert((await rate.getByRole('status').innerText()) === '', 'it says that it is behind, and is not');
  const { answered } = await please('burst');
  await rate.getByRole('status').filter({ hasText: /come together|are missing/ }).waitFor();
  await rate.filter({ hasText: /^0 events\/s/ }).waitFor(); // the server's allowance is there again
  await please('query', { name: 'after.example.com' });
  await rows.filter({ hasText: 'after.example.com' }).waitFor();
  await accessible(page, 'Live with losses');

  // By their place, from the newest to the oldest.
  const told = (await rows.evaluateAll((all) => all
    .sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex')))
    .map((row) => row.innerText))).map((text) => text.trim());
  const all = told.join('\n');
  assert(told[0].includes('after.example.com') && told.at(-1).includes('before.example.com'), `the order is\n${all}`);
  const loss = /^([\d,]+) events? (?:is|are) missing here \(rate limit\): dns_query_log: ([\d,]+)$/;
  const gaps = told.map((text) => loss.exec(text)).filter(Boolean);
  assert(gaps.length > 0 && gaps.every(([, count, queries]) => count === queries), `the losses are not told:\n${all}`);
  const missing = gaps.reduce((sum, [, count]) => sum + Number(count.replaceAll(',', '')), 0);
  assert(told.some((text) => text.includes('dns_query_batch')), 'nothing came folded');
  await rate.filter({ hasText: `${answered + 2 - missing} in all, ${missing} missing` }).waitFor();

  // A page that does not get to read says so, and has everything in the end.
  await page.evaluate(holdBack);
  await please('burst');
  const behind = rate.getByRole('status').filter({ hasText: 'this page is behind' });
  for (let asked = 0; asked < 500 && (await behind.count()) === 0; ++asked) await please('query', { name: 'more.example.com' });
  await behind.waitFor();
  await page.evaluate(() => window.letGo());
  await behind.waitFor({ state: 'detached' });
  await please('query', { name: 'caught-up.example.com' });
  await rows.filter({ hasText: 'caught-up.example.com' }).waitFor();

  // What the connection of the other views loses is told, and what is stored of it read again.
  await page.goto(`${address}#/operations`);
  await please('backups', { count: 150 });
  await page.getByRole('region', { name: 'Losses' }).getByText(/^\d+ events are missing from the views.*rate limit/).waitFor();
  await page.locator('article.operation').nth(149).waitFor();
  await accessible(page, 'Operations after losses');
  await page.getByRole('region', { name: 'Losses' }).getByRole('button', { name: 'Dismiss' }).click();
  await page.getByRole('region', { name: 'Losses' }).waitFor({ state: 'detached' });
  consoleIsClean();
});

// In the page: what is compressed is decompressed only when it is let go, and what comes behind it waits.
function holdBack() {
  const Real = DecompressionStream;
  const held = new Promise((resolve) => (window.letGo = resolve));
  window.DecompressionStream = function (format) {
    const real = new Real(format);
    return {
      writable: real.writable,
      readable: { getReader: () => {
        const reader = real.readable.getReader();
        return { read: () => held.then(() => reader.read()), cancel: () => reader.cancel() };
      } },
    };
  };
}
