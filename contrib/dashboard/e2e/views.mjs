// What the views say of one thing each that happened: node views.mjs <address>. See house.mjs.
import { accessible, assert, logInByToken, please, run, watched } from './house.mjs';

const [address] = process.argv.slice(2);

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  const consoleIsClean = watched(page, [/status of 400/]); // a filter with a fault
  await page.goto(`${address}#/alerts`);
  await logInByToken(page, (await please('token')).token);
  await page.getByText('Waiting for somebody: 0').waitFor();

  // Alerts: occurrences of one condition are one; those of another client are another.
  const waiting = page.locator('.alerts > li');
  await please('ask', { client: '127.0.0.2', names: ['bad.test', 'bad.test'] });
  await please('ask', { client: '127.0.0.3', names: ['bad.test'] });
  await page.getByText('Waiting for somebody: 2').waitFor();
  assert((await waiting.count()) === 2, 'one condition is not one alert');
  const first = waiting.filter({ hasText: '127.0.0.2' });
  await first.getByText('2 times').waitFor();
  const steps = first.getByRole('list', { name: 'Escalation' }).getByRole('listitem');
  await steps.nth(0).getByText('sent to 1 client').waitFor();
  await steps.nth(1).getByText('failed').waitFor();
  await steps.nth(1).getByText(/refused/).waitFor();
  await steps.nth(2).getByText(/in 29 min/).waitFor();
  await accessible(page, 'Alerts');
  await first.getByLabel(/Note on/).fill('taken off the net');
  await first.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByText('Waiting for somebody: 1').waitFor();
  await page.reload();
  await page.getByText('Waiting for somebody: 1').waitFor();
  await page.getByRole('cell', { name: 'taken off the net' }).waitFor();

  // What recovers waits no more.
  const disk = (data) => please('publish', { type: 'custom.disk', priority: 'critical', data: { path: '/srv', ...data } });
  await disk({});
  await page.getByText('Waiting for somebody: 2').waitFor();
  await disk({ state: 'resolved' });
  await page.getByText('Waiting for somebody: 1').waitFor();
  await page.getByRole('cell', { name: 'nobody: it recovered' }).waitFor();

  // Changes: who, and a search that stands in the address.
  await page.goto(`${address}#/changes`);
  await please('update', { zone: 'example.com', name: 'moved', address: '192.0.2.77' });
  await please('update', { zone: 'example.net', name: 'other', address: '192.0.2.78' });
  await page.locator('article', { hasText: 'moved.example.com' }).getByText('127.0.0.1, key update-key').waitFor();
  await page.getByText('other.example.net').waitFor();
  await page.getByLabel('Zone or name').fill('MOVED');
  await page.getByText('other.example.net').waitFor({ state: 'detached' });
  await page.getByText('moved.example.com').waitFor();
  assert(page.url().includes('search=MOVED'), 'the search does not stand in the address');

  // Operations: progress is not stored, but was heard before the view was opened.
  const operation = (type, data) => please('publish', { type, data, metadata: { correlation_id: 'op-1' } });
  await operation('import_started', { total: 200 });
  await operation('import_progress', { done: 50 });
  await page.goto(`${address}#/operations`);
  await page.getByText('25 %').waitFor();

  // Security: what a finding stands on, and from a hit to its history.
  await page.goto(`${address}#/security`);
  await please('ask', { client: '127.0.0.9', names: Array.from({ length: 100 }, (_, at) => `x${at}.example.net`) });
  const finding = page.locator('article', { has: page.getByRole('heading', { name: 'nxdomain flood' }) }).first();
  await finding.getByText(/times the threshold of 60/).waitFor();
  await finding.getByRole('link', { name: '127.0.0.9', exact: true }).waitFor();
  await finding.getByText(/^x\d+\.example\.net$/).first().waitFor();
  await accessible(page, 'Security with a finding');
  await page.getByRole('region', { name: 'Hits by client' }).getByRole('link', { name: '127.0.0.3', exact: true }).click();
  const found = page.getByRole('region', { name: 'Found events' });
  await found.getByRole('cell', { name: 'malware_blocked' }).waitFor();
  assert((await found.getByText('127.0.0.2').count()) === 0, 'the link does not filter');

  // History: completed, faults below their column, times, and an export that is stopped.
  const types = page.getByRole('combobox', { name: 'Types' });
  await types.pressSequentially('zone_updated,notification_ack');
  await page.getByRole('option', { name: 'notification_acknowledged' }).click();
  assert((await types.inputValue()) === 'zone_updated,notification_acknowledged', 'types are not completed');
  const filter = page.getByRole('combobox', { name: 'Filter' });
  await filter.fill('zone = "bücher" or');
  await filter.press('Enter');
  const fault = page.locator('#filter-fault').filter({ hasText: '^' });
  await fault.waitFor();
  assert((await fault.textContent()).indexOf('^') === 'zone = "bücher" or'.length, 'the fault is not below its column');
  await accessible(page, 'History with a fault');
  await filter.fill('');
  await page.getByRole('button', { name: 'Last hour' }).click();
  await found.getByRole('cell', { name: 'zone_updated' }).first().waitFor();
  await found.getByRole('cell', { name: 'notification_acknowledged' }).first().waitFor();
  const given = new URL(page.url().replace('#/', '')).searchParams;
  assert(Math.abs(Date.now() - 3_600_000 - Date.parse(given.get('since'))) < 600_000, 'the last hour is another one');
  await page.route(/limit=1000/, () => {}); // no answer
  await page.getByRole('button', { name: 'Export JSON' }).click();
  await page.getByRole('button', { name: 'Stop the export' }).click();
  await page.getByText('nothing was exported').waitFor();

  // An id is no time, whatever Date makes of it.
  await page.goto(`${address}#/history?since=abc-000000000012`);
  await page.waitForFunction(() => document.querySelector('[name=since]').value === 'abc-000000000012');

  // More hits than are asked for at once do not hide what was detected before them, and waits for nobody.
  await page.goto(`${address}#/alerts`);
  const flood = waiting.filter({ hasText: 'nxdomain_flood' });
  await flood.getByRole('button', { name: 'Acknowledge' }).click();
  await flood.waitFor({ state: 'detached' });
  await please('ask', { client: '127.0.0.4', names: Array(310).fill('bad.test') });
  await page.goto(`${address}#/security`);
  await page.reload();
  await page.getByText(/^The latest 3\d\d, since/).waitFor();
  await finding.getByText(/times the threshold of 60/).waitFor();

  // Light and dark are the system's until somebody chooses, and again when he chooses what the system has.
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await background();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await background();
  assert(light !== dark, 'dark is as light');
  await page.getByRole('button', { name: 'Light / dark' }).click();
  assert((await background()) === light, 'light was not chosen');
  await page.getByRole('button', { name: 'Light / dark' }).click();
  await page.emulateMedia({ colorScheme: 'light' });
  assert((await background()) === light, 'the system is not followed again');

  // All views on a phone, in the dark.
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 360, height: 640 });
  for (const view of ['Now', 'Live', 'Changes', 'Security', 'Alerts', 'Operations', 'History', 'Server']) {
    await page.getByRole('link', { name: new RegExp(`^${view}`) }).click();
    await page.getByRole('heading', { level: 1, name: view }).waitFor();
    const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert(!tooWide, `${view} is wider than a phone`);
    await accessible(page, `${view} on a phone, in the dark`);
  }

  // A viewer is not refused anything by opening the page, so admins are told of nothing.
  await page.getByRole('link', { name: 'Changes' }).click();
  await page.getByRole('button', { name: /Log out/ }).click();
  await logInByToken(page, (await please('viewer_token')).token);
  await page.getByText('connected', { exact: true }).waitFor();
  await page.getByText('moved.example.com').waitFor();
  await please('update', { zone: 'example.com', name: 'seen', address: '192.0.2.79' });
  await page.getByText('seen.example.com').waitFor();
  await page.getByRole('link', { name: 'Server' }).click();
  await page.getByText('They are for roles that may administer').waitFor();
  await page.getByRole('region', { name: 'The queue of this page' }).getByText('Keeps up').waitFor();
  const refused = await please('history', { types: 'permission_denied' });
  assert(refused.events.length === 0, `opening the page asks for what is not allowed: ${JSON.stringify(refused.events)}`);
  consoleIsClean();
});
