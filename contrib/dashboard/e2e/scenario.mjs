// Every view once, as a user goes through them: node scenario.mjs <address>. See house.mjs.
import { readFileSync } from 'node:fs';
import { accessible, assert, logInByToken, please, run, watched } from './house.mjs';

const [address] = process.argv.slice(2);
const HOSTILE = '<img src=x onerror=alert(1)>';

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  // A wrong password, and a server that is away, are what the browser itself complains of.
  const consoleIsClean = watched(page, [/status of 401/, /ERR_CONNECTION_REFUSED/, /WebSocket connection/]);
  page.on('dialog', () => assert(false, 'something of an event ran'));

  // Log in.
  await page.goto(address);
  await page.getByLabel('User').waitFor();
  assert((await page.getByRole('alert').innerText()) === '', 'a fault before anything was tried');
  await logInByToken(page, 'mistyped');
  await page.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
  await page.getByLabel('Token').waitFor();
  await page.getByRole('button', { name: 'With a user and password' }).click();
  await page.getByLabel('User').fill('ann');
  await page.getByLabel('Password').fill('wrong');
  await accessible(page, 'the log-in');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
  await page.getByLabel('Password').fill('correct horse');
  const renewed = page.waitForResponse((answer) => answer.url().endsWith('/renew') && answer.ok());
  await page.getByRole('button', { name: 'Log in' }).click();
  await renewed;
  await page.getByText('connected', { exact: true }).waitFor();

  // Live shows a query.
  await page.goto(`${address}#/live`);
  const table = page.getByRole('grid', { name: /Events/ });
  const rows = table.locator('.body [role=row]:not([hidden])');
  const ready = () => page.locator('[role=grid][aria-busy=false]').waitFor();
  const query = (name) => rows.filter({ hasText: name }).first();
  await ready();
  await please('query', { name: 'www.example.com' });
  await query('www.example.com').waitFor();
  await accessible(page, 'Live');
  const alignment = await query('www.example.com').locator('span').evaluateAll((cells) =>
    cells.filter((cell) => getComputedStyle(cell).textAlign === 'end').map((cell) => cell.textContent));
  assert(alignment.length === 1 && /^\d+\.\d\d$/.test(alignment[0]), `to the right are ${alignment}`);
  // In UTC, of whatever row is under the pointer by then.
  await query('www.example.com').locator('span').first().hover();
  await page.locator('.body [role=row] > span:first-child:hover[title^="2"][title$="Z"]').waitFor();

  // A name that would be HTML, and a filter in the address that is shared.
  await please('query', { name: HOSTILE.replaceAll(' ', '\\032').replaceAll('(', '\\(').replaceAll(')', '\\)') + '.example.com' });
  await query('onerror').waitFor();
  assert((await page.locator('img').count()) === 0, 'a name became HTML');

  // A filter with a fault is shown at its column; a good one leaves the rest out and stands in the address.
  const filter = page.getByRole('combobox', { name: 'Filter' });
  await filter.pressSequentially('qna');
  await filter.press('ArrowDown');
  await filter.press('Enter');
  await page.getByRole('option', { name: '=', exact: true }).click();
  assert((await filter.inputValue()) === 'qname = ', 'the filter is not completed');
  await accessible(page, 'a filter that is typed');
  await filter.press('Enter');
  await page.locator('#filter-fault').filter({ hasText: '^' }).waitFor();
  await filter.fill('qname under "filtered.example.com"');
  await filter.press('Enter');
  await page.waitForURL(/filter=/);
  await please('query', { name: 'other.example.com' });
  await please('query', { name: 'a.filtered.example.com' });
  await query('a.filtered.example.com').waitFor();
  assert((await rows.filter({ hasText: 'other.example.com' }).count()) === 0, 'the filter lets others through');

  // A click on a value filters by it, a click on the time opens the details.
  await query('a.filtered.example.com').getByText('a.filtered.example.com').click();
  await page.waitForFunction(() => decodeURIComponent(location.hash).includes('data.qname'));
  await please('query', { name: 'b.filtered.example.com' });
  await please('query', { name: 'a.filtered.example.com' });
  await query('a.filtered.example.com').locator('span').first().click();
  const details = page.getByRole('complementary', { name: /Details/ });
  await details.getByText('data.qname').waitFor();
  await accessible(page, 'the details');
  await details.getByRole('button', { name: /Close/ }).click();
  assert((await rows.filter({ hasText: 'b.filtered' }).count()) === 0, 'the click on a value did not filter');

  // The same by the keyboard.
  await table.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await details.getByText('data.qname').waitFor();
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });
  assert(await table.evaluate((element) => element === document.activeElement), 'the keyboard is not where it was');

  // An address that is opened while Live is shown counts, and the table goes on.
  // Of columns that are not known there are the usual ones.
  await page.goto(`${address}#/live?columns=nonsense&filter=${encodeURIComponent('qname = "shared.example.com"')}`);
  await page.getByRole('button', { name: 'Pause' }).waitFor();
  await please('query', { name: 'other.example.com' });
  await please('query', { name: 'shared.example.com' });
  await query('shared.example.com').waitFor();
  assert((await rows.count()) === 1, 'the filter of an address is shown, and is not in force');

  // Pause.
  await page.getByRole('button', { name: 'All' }).click();
  await page.getByRole('button', { name: 'Pause' }).click();
  await please('query', { name: 'later.example.com' });
  await page.getByRole('button', { name: 'Go on' }).waitFor();
  assert((await rows.filter({ hasText: 'later.example.com' }).count()) === 0, 'a pause does not stop the table');
  await page.getByRole('button', { name: 'Go on' }).click();
  await query('later.example.com').waitFor();

  // Every other view, with what is hostile in it.
  const visit = async (title, text) => {
    await page.getByRole('link', { name: new RegExp(`^${title}`) }).click();
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    if (text) await page.getByText(text).first().waitFor();
    await accessible(page, title);
    assert((await page.locator('img').count()) === 0, `something became HTML in ${title}`);
  };
  await visit('Changes');
  await please('update_txt', { name: 'evil', text: HOSTILE });
  await page.getByText('evil.example.com').waitFor();
  await page.getByText(HOSTILE).first().waitFor();
  await visit('Operations');
  const bulk = (type, data) => please('publish', { type, data, metadata: { correlation_id: 'op-1' } });
  await bulk('import_started', { total: 200, name: HOSTILE });
  await bulk('import_progress', { done: 50 });
  await page.getByText('25 %').waitFor();
  await visit('Operations', HOSTILE);
  await please('publish', { type: 'custom.incident', priority: 'critical', data: { message: HOSTILE } });
  await page.locator('nav .badge').waitFor();
  await visit('Alerts', HOSTILE);
  await page.getByLabel(/Note on/).fill('seen');
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByText('Waiting for somebody: 0').waitFor();
  await visit('Security', 'Hits by feed');
  await visit('Server', 'Connections and their queues');
  const queues = page.getByRole('region', { name: 'Connections and their queues' });
  await queues.getByRole('row', { name: /^ann admin .* of 500 events/ }).first().waitFor();
  await page.getByRole('region', { name: 'Events that did not come, by reason' }).getByText('queue_overflow').waitFor();
  await page.getByRole('region', { name: 'Batching and compression' }).getByText(/% below/).waitFor();
  await page.getByRole('region', { name: /^Channels/ }).getByText('bindcast.v1.deflate').first().waitFor();
  const options = page.getByRole('region', { name: 'Options' });
  const option = (name) => options.getByRole('row', { name });
  await option(/^journal\.path .* bindcast\.db bindcast\.db$/).waitFor();
  await option(/^auth\.users\[ann\]\.password .* \(hidden\) none$/).waitFor();
  await page.getByText(/Read from \/.*bindcast\.yaml/).waitFor();
  await page.getByRole('button', { name: 'Only what differs' }).click();
  await option(/^journal\.path/).waitFor({ state: 'detached' });
  await option(/^server\.listen .*127\.0\.0\.1:\d+ 127\.0\.0\.1:8353$/).waitFor();
  await page.getByLabel('Search options').fill('roles ann');
  await option(/^server\.listen/).waitFor({ state: 'detached' });
  await option(/^auth\.users\[ann\]\.roles/).waitFor();
  assert(!(await page.content()).includes('$y$'), 'the hash of a password is shown');
  await visit('Now', 'Queries a second');
  await visit('History', /events/);
  await page.getByLabel('Filter').fill('type = "custom.incident"');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText('1 event', { exact: true }).waitFor();
  const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
  const csv = readFileSync(await saved.path(), 'utf8');
  assert(csv.includes('"custom.incident"') && csv.split('\r\n').length === 3, `the export has\n${csv}`);
  await page.getByRole('button', { name: 'Light / dark' }).click();
  await accessible(page, 'History, the other way round');
  await visit('Live');
  await ready();

  // A server that is killed ends the login. Then a token, which outlives the next death of the server.
  await please('kill');
  await page.getByText(/next try in/).waitFor();
  const aloud = await page.getByRole('status').filter({ hasText: 'disconnected' }).innerText();
  assert(!aloud.includes('next try'), 'each second is read aloud');
  const { token } = await please('start');
  await page.getByLabel('User').waitFor();
  await logInByToken(page, token);
  await page.getByText('connected', { exact: true }).waitFor();
  await ready();
  await please('kill');
  await page.getByText(/disconnected/).waitFor();
  await please('start');
  await page.getByText('connected', { exact: true }).waitFor();
  await ready();
  await please('query', { name: 'again.example.com' });
  await query('again.example.com').waitFor();

  // A phone's width, and the end.
  await page.setViewportSize({ width: 360, height: 640 });
  await accessible(page, 'Live on a phone');
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert(!tooWide, 'the page is wider than a phone');
  await visit('Server', /Read from/);
  const serverTooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert(!serverTooWide, 'Server is wider than a phone');
  await page.getByRole('button', { name: /Log out/ }).click();
  await page.getByLabel('User').waitFor();

  // A viewer sees alerts, and cannot end them; the server counts him out when his sessions end.
  await page.getByLabel('User').fill('vic');
  await page.getByLabel('Password').fill('correct horse');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.goto(`${address}#/alerts`);
  await please('publish', { type: 'custom.incident', priority: 'critical', data: { message: 'for all' } });
  await page.getByText('for all').waitFor();
  assert((await page.getByRole('button', { name: 'Acknowledge' }).count()) === 0, 'a viewer is offered what he may not');
  await visit('Server', /Left out: .*yours \(viewer\) may not/);
  await page.getByRole('region', { name: 'The queue of this page' }).getByRole('row').nth(1).waitFor();
  await page.getByRole('region', { name: 'Events that did not come, by reason' }).getByText('queue_overflow').waitFor();
  for (const hidden of ['Options', 'Connections and their queues'])
    assert((await page.getByRole('region', { name: hidden }).count()) === 0, `a viewer is shown ${hidden}`);
  await please('disconnect', { user: 'vic' });
  await page.getByRole('button', { name: 'Try now' }).click();
  await page.getByLabel('User').waitFor();
  consoleIsClean();
});
