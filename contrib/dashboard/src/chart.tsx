import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Series } from './model.ts';
import { theme } from './theme.ts';

const HEIGHT = 180;
const COLOURS = ['--line-1', '--line-2', '--line-3', '--line-4'];

/** Lines over the last minutes. The figures stand in a table beside it too: this is for the eye. */
export function Chart({ title, unit, series }: { title: string; unit: string; series: Series }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const names = Object.keys(series.lines);
  useEffect(() => {
    const element = place.current!;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = { stroke: colour('--faint'), grid: { stroke: colour('--line') }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1)] } },
        axes: [axis, { ...axis, size: 48 }],
        series: [
          {},
          ...names.map((label, at) => ({ label, stroke: colour(COLOURS[at % COLOURS.length]!), width: 1.5 })),
        ],
      },
      dataOf(series),
      element,
    );
    chart.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [names.join(), theme.value]);
  useEffect(() => chart.current?.setData(dataOf(series)), [series]);
  return (
    <figure class="card chart">
      <figcaption>
        {title} <span class="faint">{unit}</span>
      </figcaption>
      <div ref={place} role="img" aria-label={`${title}, ${unit}, over the last minutes`} />
    </figure>
  );
}

function dataOf(series: Series): uPlot.AlignedData {
  return [series.times, ...Object.values(series.lines)];
}
