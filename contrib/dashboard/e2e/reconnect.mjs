// The server dies, and things happen before the page is back: node reconnect.mjs <address>. See house.mjs.
import { assert, live, logInByToken, please, rowsOf, run, watched } from './house.mjs';

const [address] = process.argv.slice(2);
const BETWEEN = ['between-1', 'between-2', 'between-3'];

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  const consoleIsClean = watched(page, [/ERR_CONNECTION_REFUSED/, /ERR_INTERNET_DISCONNECTED/, /WebSocket connection/]);
  await page.setViewportSize({ width: 1280, height: 8000 }); // all rows can be seen
  await page.goto(address);
  const { token } = await please('token');
  await logInByToken(page, token);
  await live(page, address);
  const rows = rowsOf(page);
  const row = (text) => rows.filter({ hasText: text });
  await please('update_txt', { name: 'before', text: 'the death' });
  await row('before.example.com').first().waitFor();

  // The server comes back before the page does.
  await please('kill');
  await page.getByText(/disconnected/).first().waitFor();
  await context.setOffline(true);
  await please('start');
  for (const name of BETWEEN) await please('update_txt', { name, text: 'while it was away' });
  await please('query', { name: 'asked-meanwhile.example.com' });
  await please('recorded', { name: `${BETWEEN.at(-1)}.example.com` });
  assert((await row('between').count()) === 0, 'the page was not away');
  await context.setOffline(false);
  await page.getByText('connected', { exact: true }).waitFor();

  // Live: what the server remembers has come, once and in order; of queries it says that it does not know.
  await row('between-3').filter({ hasText: 'record_created' }).waitFor();
  await please('query', { name: 'after.example.com' });
  await row('after.example.com').waitFor();
  const told = await rows.evaluateAll((all) => all
    .sort((a, b) => Number(b.getAttribute('aria-rowindex')) - Number(a.getAttribute('aria-rowindex')))
    .map((one) => one.innerText));
  const places = ['before.example.com', 'The connection was cut', ...BETWEEN, 'after.example.com']
    .map((text) => told.findIndex((line) => line.includes(text) && !line.includes('zone_updated')));
  const inTurn = places.every((at, index) => at >= 0 && (index === 0 || at > places[index - 1]));
  assert(inTurn, `the order is\n${told.join('\n')}`);
  for (const name of BETWEEN) {
    const times = told.filter((line) => line.includes(name) && line.includes('record_created')).length;
    assert(times === 1, `${name} is told ${times} times`);
  }
  assert(!told.some((line) => line.includes('asked-meanwhile')), 'a query of that time is there, which nobody remembers');

  // Changes and History have them too, each once, the newest first.
  const inOrder = async (where, texts) => {
    const found = texts.flatMap((text) => BETWEEN.filter((name) => text.includes(`${name}.example.com`)));
    assert(JSON.stringify(found) === JSON.stringify(BETWEEN.toReversed()), `${where} has ${found.join(', ')}`);
  };
  await page.goto(`${address}#/changes`);
  await page.getByText('between-3.example.com').waitFor();
  await inOrder('Changes', await page.locator('.change').allInnerTexts());
  await page.goto(`${address}#/history?type=record_created`);
  await page.getByText('between-3.example.com').waitFor();
  await inOrder('History', await page.locator('tbody tr').allInnerTexts());
  consoleIsClean();
});
