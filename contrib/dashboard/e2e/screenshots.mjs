// A picture of each view, light and dark, on a desktop and a phone: node screenshots.mjs <address> <folder>. See house.mjs.
import { join } from 'node:path';
import { logInByToken, please, run } from './house.mjs';

const [address, folder] = process.argv.slice(2);
const SIZES = { '': { width: 1280, height: 800 }, 'phone-': { width: 390, height: 844 } };

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  // What each view has when all is there that it is to show.
  const rows = page.locator('.body [role=row]:not([hidden])');
  const views = {
    now: () => page.getByRole('cell', { name: 'down', exact: true }).waitFor(),
    live: async () => {
      await rows.nth(25).waitFor();
      await page.locator('.rate').filter({ hasText: /^[1-9]/ }).waitFor();
    },
    changes: () => page.getByText('customer.example').first().waitFor(),
    security: () => page.getByRole('heading', { name: 'tunnelling' }).waitFor(),
    alerts: () => page.getByText(/tried again|the last one/).first().waitFor(),
    operations: () => page.getByText('no space left').waitFor(),
    'history?category=dns,security': () => page.getByText(/\d events/).waitFor(),
    server: () => page.getByText('Connections').first().waitFor(),
  };
  await page.goto(address);
  await page.getByLabel('User').waitFor();
  await page.screenshot({ path: join(folder, 'log-in.png') });
  await logInByToken(page, (await please('token')).token);
  await page.getByText('connected', { exact: true }).waitFor();
  await please('traffic'); // while Now is open, which wants analytics
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const [view, isReady] of Object.entries(views)) {
        await page.goto(`${address}#/${view}`);
        await isReady();
        await page.mouse.move(0, 0); // nothing is pointed at
        await page.screenshot({ path: join(folder, `${size}${view.split('?')[0]}-${scheme}.png`) });
      }
    }
  }
});
