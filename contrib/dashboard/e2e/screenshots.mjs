// A picture of each view, light and dark: node screenshots.mjs <address> <folder>. See house.mjs.
import { join } from 'node:path';
import { logInByToken, please, run } from './house.mjs';

const [address, folder] = process.argv.slice(2);
const VIEWS = ['now', 'live', 'changes', 'security', 'alerts', 'operations', 'history', 'server'];

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(address);
  const { token } = await please('token');
  await page.screenshot({ path: join(folder, 'log-in.png') });
  await logInByToken(page, token);
  await page.getByText('connected', { exact: true }).waitFor();
  await please('traffic');
  const shoot = async (name) => page.screenshot({ path: join(folder, `${name}.png`) });
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const view of VIEWS) {
      await page.goto(`${address}#/${view}`);
      if (view === 'live') await page.locator('.body [role=row]:not([hidden])').nth(10).waitFor();
      if (view === 'now' || view === 'server') await page.getByText('Connections').or(page.locator('.u-over')).first().waitFor();
      await please('moment');
      await shoot(`${view}-${scheme}`);
    }
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${address}#/now`);
  await please('moment');
  await shoot('now-phone');
});
