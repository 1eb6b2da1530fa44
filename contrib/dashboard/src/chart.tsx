import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatShort } from './format.ts';
import type { Series } from './model.ts';
import { isDark } from './theme.ts';

const HEIGHT = 180, SPARK_HEIGHT = 36;
const COLOURS = ['--line-1', '--line-2', '--line-3', '--line-4'];
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]]; // for those who do not tell the colours apart
const CLOCK = uPlot.fmtDate('{HH}:{mm}:{ss}');

type OptionsOf = (colour: (name: string) => string) => Omit<uPlot.Options, 'width' | 'height'>;

/** Where a plot of these options stands; `key` says when they are others. */
function usePlot(series: Series, height: number, key: string, optionsOf: OptionsOf) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const element = place.current!;
    // A canvas knows no variables, so the element's own colour is made each of them in turn.
    const colour = (name: string) => {
      element.style.color = `var(${name})`;
      const computed = getComputedStyle(element).color;
      element.style.color = '';
      return computed;
    };
    const size = () => ({ width: element.clientWidth, height });
    const made = new uPlot({ ...size(), ...optionsOf(colour) }, dataOf(series), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize(size()));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [key, isDark.value]);
  useEffect(() => plot.current?.setData(dataOf(series)), [series]);
  return place;
}

const toZero = { y: { range: (_plot: uPlot, _low: number, high: number): [number, number] => [0, Math.max(high * 1.1, 1)] } };

/** Lines over the last minutes, with a legend that has the latest values, or those where the pointer is. */
export function Chart({ title, unit, series }: { title: string; unit: string; series: Series }) {
  const names = Object.keys(series.lines);
  const place = usePlot(series, HEIGHT, names.join(), (colour) => {
    const axis: uPlot.Axis = {
      stroke: colour('--faint'), font: '12px system-ui, sans-serif',
      grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false },
    };
    const value = (_plot: uPlot, one: number | null) => (one === null ? '–' : one < 100 ? one.toFixed(1) : formatShort(one));
    return {
      cursor: { drag: { x: false, y: false } },
      scales: toZero,
      axes: [
        { ...axis, size: 28, space: 90, values: (_plot, times) => times.map((time) => CLOCK(new Date(time * 1000))) },
        { ...axis, size: 48, values: (_plot, numbers) => numbers.map(formatShort) },
      ],
      series: [
        { label: 'At', value: (_plot, time: number | null) => (time === null ? '–' : CLOCK(new Date(time * 1000))) },
        ...names.map((label, at) => ({
          label, value, width: 1.5, stroke: colour(COLOURS[at % COLOURS.length]!), dash: DASHES[at % DASHES.length]!,
        })),
      ],
      legend: { markers: { width: 2 } },
      hooks: { setData: [latest], setCursor: [(plot) => plot.cursor.idx == null && latest(plot)] },
    };
  });
  return (
    <figure class="card chart">
      <figcaption>
        {title} <span class="faint">{unit}</span>
      </figcaption>
      <div ref={place} role="img" aria-label={`${title}, ${unit}, over the last minutes`} />
    </figure>
  );
}

// Where the pointer is not, the legend has the latest.
function latest(plot: uPlot): void {
  const last = plot.data[0].length - 1;
  if (last >= 0) plot.setLegend({ idx: last }, false);
}

/** The course of one figure, which stands beside it: for the eye alone. */
export function Spark({ series }: { series: Series }) {
  const place = usePlot(series, SPARK_HEIGHT, '', (colour) => ({
    cursor: { show: false },
    legend: { show: false },
    scales: toZero,
    axes: [{ show: false }, { show: false }],
    padding: [2, 0, 2, 0],
    series: [{}, { stroke: colour('--line-1'), width: 1.5, points: { show: false } }],
  }));
  return <div ref={place} class="spark" aria-hidden="true" />;
}

function dataOf(series: Series): uPlot.AlignedData {
  return [series.times, ...Object.values(series.lines)];
}
