// Live in a flood: node load.mjs <address> <seconds>. See house.mjs, and Flood of tests/system/page.py.
//
// Here it fails where something does not work any more; how long things took is told, for others to judge.
import { assert, logInByToken, pause, please, run } from './house.mjs';

const [address, seconds] = process.argv.slice(2);
const LATER_S = 4; // of the second flood, in which the filter is changed

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  const filter = encodeURIComponent('qname under "example.com"');
  await page.goto(`${address}#/live?filter=${filter}`);
  const paint = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
  await page.waitForFunction(paint);
  const first_paint_ms = await page.evaluate(paint);
  const { token } = await please('token');
  await logInByToken(page, token);
  await page.locator('[role=grid][aria-busy=false]').waitFor();

  await please('load', { seconds: Number(seconds) });
  const measuring = page.evaluate(measure, Number(seconds) * 1000);
  const timed = async (act) => {
    const before = performance.now();
    await act();
    return performance.now() - before;
  };
  await received(page, 1000);
  const pause_ms = await timed(() => pause(page));
  const stands = await firstRow(page);
  await received(page, (await account(page)).received + 1000);
  assert((await firstRow(page)) === stands, 'the table moves while it is paused');
  await page.getByRole('button', { name: 'Go on' }).click();
  const figures = await measuring;

  // Every query that was answered came, or is told to be missing.
  const dns = await please('load_ends');
  const all = await settled(page);
  assert(all.received + all.missing >= dns.completed && all.received + all.missing <= dns.sent,
    `of ${dns.sent} queries, ${dns.completed} of them answered, came ${all.received}, ${all.missing} are told as missing`);
  await please('query', { name: 'the-last.example.com' });
  await page.waitForFunction(() => document.querySelector('#row-0')?.textContent.includes('the-last.example.com'));

  // Another filter, in a flood.
  await please('load', { seconds: LATER_S });
  await received(page, all.received + 1000);
  const filter_ms = await timed(async () => {
    const field = page.getByRole('combobox', { name: 'Filter' });
    await field.fill('qname = "name7.example.com"');
    await field.press('Enter');
    await page.waitForFunction(() => location.hash.includes('name7'));
  });
  await page.locator('#row-1').getByText('name7.example.com').waitFor();
  const others = await page.locator('.body [role=row]:not([hidden])').filter({ hasNotText: 'name7.example.com' }).count();
  assert(others === 0, 'the new filter lets others through');
  await please('load_ends');
  await please('measured', { figures: { first_paint_ms, dns, ...all, ...figures, pause_ms, filter_ms } });
});

// Runs in the page, beside all that it does.
async function measure(ms) {
  const frames = [], rates = [], ages = [];
  let longTasks = 0, heap = 0;
  new PerformanceObserver((list) => (longTasks += list.getEntries().length)).observe({ type: 'longtask' });
  const eachSecond = () => {
    rates.push(parseInt(document.querySelector('.rate').textContent.replaceAll(',', ''), 10));
    heap = Math.max(heap, performance.memory.usedJSHeapSize);
    const shown = document.querySelector('#row-0 > span')?.textContent.split(/[:.]/).map(Number);
    const standsStill = document.querySelector('[aria-pressed=true]') !== null;
    if (shown?.length !== 4 || standsStill) return;
    const [hours, minutes, s, milli] = shown;
    const time = new Date().setHours(hours, minutes, s, milli);
    ages.push((Date.now() - time + 86_400_000) % 86_400_000);
  };
  const end = performance.now() + ms;
  for (let before = performance.now(), second = before + 1000; before < end; ) {
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    before = now;
    if (now < second) continue;
    second = now + 1000;
    eachSecond();
  }
  const at = (list, share) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];
  return {
    frames: frames.length, frame_ms: { p50: at(frames, 0.5), p99: at(frames, 0.99), max: at(frames, 1) },
    long_tasks: longTasks, events_per_second: { p50: at(rates, 0.5), max: at(rates, 1) },
    newest_row_age_ms: { p50: at(ages, 0.5), max: at(ages, 1) }, heap_mib: heap / 2 ** 20,
    elements: document.querySelectorAll('*').length,
  };
}

// What the page says that it got and did not get.
async function account(page) {
  const text = await page.locator('.rate').innerText();
  const number = (pattern) => Number((pattern.exec(text)?.[1] ?? '0').replaceAll(',', ''));
  return { received: number(/([\d,]+) in all/), missing: number(/([\d,]+) missing/) };
}

async function received(page, count) {
  await page.waitForFunction((least) => {
    const [, all] = /([\d,]+) in all/.exec(document.querySelector('.rate').textContent);
    return Number(all.replaceAll(',', '')) >= least;
  }, count);
}

// The account when nothing comes any more: what is said of the last whole second is that it was empty.
async function settled(page) {
  await page.waitForFunction(() => /^0 events\/s/.test(document.querySelector('.rate').textContent));
  return account(page);
}

function firstRow(page) {
  return page.locator('#row-0').innerText();
}
