// A session that is over, and the next one: node session.mjs <address>. See house.mjs.
import { accessible, assert, live, logIn, please, rowsOf, run, watched } from './house.mjs';

const [address] = process.argv.slice(2);

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  // Requests that are kept from the server, and a cookie that is over.
  const consoleIsClean = watched(page, [/ERR_FAILED.*(renew|logout)/, /status of 401.*renew/]);
  const sent = []; // requests, as they are
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
  const seen = (name) => rowsOf(page).filter({ hasText: name }).first().waitFor();
  const loggedOut = () => page.getByLabel('User').waitFor();

  // The minute after Now was left is over at once.
  await page.addInitScript(() => {
    const { setTimeout } = window;
    window.setTimeout = (act, ms, ...more) => setTimeout(act, ms === 60_000 ? 0 : ms, ...more);
  });

  // The page cannot renew the session, which ends while Live is looked at.
  await page.route('**/api/v1/renew', (route) => route.abort());
  await page.goto(address);
  await logIn(page, 'ann');
  await live(page, address);
  await please('query', { name: 'of-the-old-session.example.com' });
  await seen('of-the-old-session');
  await loggedOut();
  await page.getByRole('alert').filter({ hasText: 'the session has ended: expired' }).waitFor();
  const text = await page.locator('body').innerText();
  assert(!/of-the-old-session|ann\b/.test(text), `of the old session there is still\n${text}`);
  await accessible(page, 'the log-in after a session');

  // Somebody else logs in on the same page: every view works, and nothing of before is there.
  await page.unroute('**/api/v1/renew');
  await logIn(page, 'vic');
  await page.locator('[role=grid][aria-busy=false]').waitFor();
  await please('query', { name: 'of-the-new-session.example.com' });
  await seen('of-the-new-session');
  assert((await rowsOf(page).filter({ hasText: 'of-the-old-session' }).count()) === 0, 'Live shows what another user saw');
  const visit = async (title) => {
    await page.getByRole('link', { name: new RegExp(`^${title}`) }).click();
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
  };
  await visit('Now');
  await page.getByText(/^99 % below/).waitFor(); // from now on the server counts
  await please('query', { name: 'of-the-new-session.example.com' });
  await page.getByRole('region', { name: 'Names asked for most' }).getByText('of-the-new-session.example.com').waitFor();
  // What was counted while somebody looked is not what is now, when he comes back.
  sent.length = 0;
  await visit('Changes');
  const unwanted = () => sent.some((request) => request.includes('"unsubscribe"'));
  for (let frame = 0; frame < 1000 && !unwanted(); ++frame) await page.evaluate(() => new Promise(requestAnimationFrame));
  const figures = await page.evaluate(() => new Promise((resolve) => {
    new MutationObserver((_changes, observer) => {
      const drawn = document.querySelector('.figures'); // for the first time: nothing new has come
      if (drawn === null) return;
      observer.disconnect();
      resolve(drawn.innerText);
    }).observe(document.body, { childList: true, subtree: true });
    location.hash = '#/now';
  }));
  assert(/^Clients\s+–$/m.test(figures), `of the time before there is still\n${figures}`);
  await visit('Changes');
  await please('update_txt', { name: 'changed', text: 'once' });
  await page.getByText('changed.example.com').first().waitFor();
  await visit('Security');
  await please('query', { name: 'bad.test' });
  await page.getByText('malware_blocked').first().waitFor();
  await visit('Operations');
  await please('publish', { type: 'import_started', data: { name: 'blocklist' }, metadata: { correlation_id: 'op' } });
  await page.getByText('blocklist').waitFor();
  await visit('Alerts');
  await please('publish', { type: 'custom.incident', priority: 'critical', data: { message: 'of the new session' } });
  await page.getByText('of the new session').waitFor();
  await visit('History');
  await page.getByText('custom.incident').first().waitFor();
  await visit('Server');
  await page.getByText('The queue of this page').waitFor();

  // The page renews what is half over, so it lasts.
  await page.waitForResponse((answer) => answer.url().endsWith('/renew') && answer.ok());
  await visit('Live');
  await page.locator('[role=grid][aria-busy=false]').waitFor();
  await please('query', { name: 'still-there.example.com' });
  await seen('still-there');

  // One who may see nothing gets nothing of the one before, and spoils nothing for the next one.
  await page.getByRole('button', { name: 'Log out vic' }).click();
  await page.getByRole('alert').filter({ hasText: 'Logged out.' }).waitFor();
  await logIn(page, 'pam');
  await page.getByText('none of your roles may watch').first().waitFor();
  assert((await page.locator('nav .badge').count()) === 0, 'an alert of another user is shown');
  const refused = await please('history', { types: 'permission_denied' });
  assert(refused.events.length === 0, `what is not allowed was tried: ${JSON.stringify(refused.events)}`);
  await page.route('**/api/v1/logout', (route) => route.abort());
  await page.getByRole('button', { name: 'Log out pam' }).click();
  await page.getByRole('alert').filter({ hasText: 'The server was not told' }).waitFor();
  await logIn(page, 'vic');
  await page.locator('nav .badge').waitFor();
  assert((await page.getByText('none of your roles').count()) === 0, 'what was said to another user is shown');

  // Whom the server does not let in, though he is logged in, can log out.
  await page.unroute('**/api/v1/logout');
  const another = await context.newPage();
  await another.routeWebSocket(/\/ws/, (socket) => socket.close({ code: 4429, reason: 'too many connections' }));
  await another.goto(address);
  await another.getByText('disconnected: too many connections').waitFor();
  await accessible(another, 'a page that is not let in');
  await another.getByRole('button', { name: 'Log out' }).click();
  await another.getByLabel('User').waitFor();
  consoleIsClean();
});
