// Live under load: node load.mjs <address> <seconds>. Says how long its frames took, and what came. See house.mjs.
import { logInByToken, please, run } from './house.mjs';

const [address, seconds] = process.argv.slice(2);

await run(async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(`${address}#/live`);
  const { token } = await please('token');
  await logInByToken(page, token);
  await page.locator('[role=grid][aria-busy=false]').waitFor();
  await please('load', { seconds: Number(seconds) });
  const measured = await page.evaluate(async (ms) => {
    const frames = [], rates = [];
    let longTasks = 0;
    new PerformanceObserver((list) => (longTasks += list.getEntries().length)).observe({ type: 'longtask' });
    const rate = () => parseInt(document.querySelector('.rate').textContent.replaceAll(',', ''), 10);
    const end = performance.now() + ms;
    let before = performance.now(), toldAt = before;
    while (before < end) {
      const now = await new Promise(requestAnimationFrame);
      frames.push(now - before);
      before = now;
      if (now - toldAt > 1000) {
        toldAt = now;
        rates.push(rate());
      }
    }
    frames.sort((a, b) => a - b);
    rates.sort((a, b) => a - b);
    const at = (list, share) => list[Math.min(list.length - 1, Math.floor(list.length * share))];
    return { frames: frames.length, frame_ms: { p50: at(frames, 0.5), p99: at(frames, 0.99), max: at(frames, 1) },
      long_tasks: longTasks, events_per_second: { p50: at(rates, 0.5), max: at(rates, 1) },
      gaps: [...document.querySelectorAll('.row.note')].length, heap_mib: performance.memory.usedJSHeapSize / 2 ** 20 };
  }, Number(seconds) * 1000);
  await please('measured', { measured });
});
