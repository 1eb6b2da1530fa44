// What the scenarios stand on: Debian's Chromium by playwright-core, and the test that runs named.
//
// Scenario of tests/system/page.py starts a scenario with the page's address and holds the other end of its
// standard input and output, a line of JSON each: {"do": name, …} asks for something that the test does, and its answer
// comes back. A scenario that fails ends with the reason on standard error.
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Lets the test do something; what it answers. */
export async function please(what, more = {}) {
  process.stdout.write(`${JSON.stringify({ do: what, ...more })}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error('the test has ended');
  return JSON.parse(value);
}

export function assert(condition, what) {
  if (!condition) throw new Error(what);
}

/** Runs one scenario, `act(context)`, in a browser of its own. */
export async function run(act, options = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'bindcast-page-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium', args: FLAGS, viewport: { width: 1280, height: 800 }, ...options,
    env: { ...process.env, HOME: profile },
  });
  context.setDefaultTimeout(20_000 * Number(process.env.BINDCAST_TIME_FACTOR ?? 1));
  try {
    await act(context);
  } catch (fault) {
    console.error(fault);
    const page = context.pages().at(-1);
    console.error(await page?.locator('body').innerText().catch(() => ''));
    process.exitCode = 1;
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
    process.stdin.destroy();
  }
}

/**
 * A page whose console must stay empty of errors, but those that match `expected`: call what is returned at the end.
 */
export function watched(page, expected = []) {
  const said = [];
  page.on('console', (message) => {
    const text = `${message.text()} (${message.location().url})`;
    if (['error', 'warning'].includes(message.type()) && !expected.some((one) => one.test(text))) said.push(text);
  });
  page.on('pageerror', (fault) => said.push(String(fault)));
  return () => assert(said.length === 0, `the console has errors:\n${said.join('\n')}`);
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Holds the page as it is now to axe-core's rules. */
export async function accessible(page, where) {
  const faults = await page.evaluate(async (source) => {
    if (!('axe' in window)) (0, eval)(source);
    const found = await window.axe.run(document);
    return found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).join(' | ')}`);
  }, axe);
  assert(faults.length === 0, `${where} is not accessible:\n${faults.join('\n')}`);
}

export async function logInByToken(page, token) {
  await page.getByRole('button', { name: /with a token/i }).click();
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
}

export async function logIn(page, user, password = 'correct horse') {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** The view, when everything that Live's filter lets through comes. */
export async function live(page, address, filter = '') {
  await page.goto(`${address}#/live?filter=${encodeURIComponent(filter)}`);
  await page.locator('[role=grid][aria-busy=false]').waitFor();
}

/** The rows of Live that can be seen, the newest first. */
export function rowsOf(page) {
  return page.getByRole('grid', { name: /Events/ }).locator('.body [role=row]:not([hidden])');
}

/** Pauses Live, and waits until the table stands: what came before is drawn with the next frame. */
export async function pause(page) {
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Go on' }).waitFor();
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}
