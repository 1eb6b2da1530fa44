// What a role may see only masked, is masked in every view: node roles.mjs <address>. See house.mjs.
import { readFileSync } from 'node:fs';
import { assert, live, logIn, pause, please, rowsOf, run, watched } from './house.mjs';

const [address] = process.argv.slice(2);
const NAME = 'www.shop.example.com', BAD = 'deep.login.bad.test', CLIENT = '127.0.0.1';
// What the two see of them.
const SEES = { ann: [NAME, BAD, CLIENT], hal: ['example.com', 'bad.test', '127.0.0.0/24'] };

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  const consoleIsClean = watched(page);
  await page.goto(address);
  for (const [user, [name, bad, client]] of Object.entries(SEES)) {
    // In the page as it is: that something is there whole, or that it is not.
    const holdsTo = async (where) => {
      const text = await page.locator('main').innerText();
      for (const whole of SEES.ann)
        assert(text.includes(whole) === (user === 'ann'), `${user} sees ${where} with ${whole}, or without it:\n${text}`);
    };
    const cell = (text) => page.getByRole('cell', { name: text, exact: true }).first().waitFor();
    await logIn(page, user);
    await live(page, address);
    await please('query', { name: NAME });
    await please('query', { name: BAD });
    const row = rowsOf(page).filter({ hasText: 'malware_blocked' }).filter({ hasText: client }).first();
    await row.getByText(bad, { exact: true }).waitFor();
    await rowsOf(page).filter({ has: page.getByText(name, { exact: true }) }).first().waitFor();
    await pause(page); // or another row is there when the click comes
    await row.locator('span').first().click();
    await page.getByRole('complementary').getByText('data.policy_zone').waitFor();
    await holdsTo('Live');

    await page.goto(`${address}#/security`);
    for (const text of [client, bad]) await cell(text);
    await page.getByRole('region', { name: 'Hits by client' }).getByText(client, { exact: true }).waitFor();
    const security = await page.locator('main').innerText();
    assert(security.includes(BAD) === (user === 'ann'), `${user} sees Security with ${BAD}, or without it`);
    assert(security.includes(CLIENT) === (user === 'ann'), `${user} sees Security with ${CLIENT}, or without it`);

    await page.goto(`${address}#/history?filter=${encodeURIComponent('category = "dns" or category = "security"')}`);
    for (const text of [client, name, bad]) await cell(text);
    await holdsTo('History');
    const button = page.getByRole('button', { name: 'Export JSON' });
    const [saved] = await Promise.all([page.waitForEvent('download'), button.click()]);
    const exported = readFileSync(await saved.path(), 'utf8');
    for (const whole of SEES.ann)
      assert(exported.includes(`"${whole}"`) === (user === 'ann'), `${user} exports with ${whole}, or without it`);

    // What is hidden cannot be found by a filter either.
    await page.goto(`${address}#/history?filter=${encodeURIComponent(`client = "${CLIENT}"`)}`);
    await page.getByRole('status').filter({ hasText: user === 'ann' ? /^[1-9]\d* events/ : /^0 events$/ }).waitFor();
    await page.getByRole('button', { name: `Log out ${user}` }).click();
    await page.getByLabel('User').waitFor();
  }
  consoleIsClean();
});
