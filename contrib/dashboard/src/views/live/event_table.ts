import type { BindcastEvent } from '@bindcast/client';
import { Virtualizer, elementScroll, observeElementOffset, observeElementRect } from '@tanstack/virtual-core';
import type { Column } from '../../columns.ts';
import type { Ring } from './ring.ts';

const ROW_HEIGHT = 28;
const LEAST_MS = 100; // between two drawings of what comes: nobody reads faster, and layout is what a flood costs most

/** An event, or what has to be said between events: how many are missing there. */
export type Row = { event: BindcastEvent } | { note: string; missing: number };

export interface TableListener {
  open(row: Row): void;
  filterBy(event: BindcastEvent, column: Column): void;
  /** The user looks at what is further down: it must not move. */
  scrolledAway(): void;
  selected(index: number): void;
}

// What is shown already is not written again: under load most cells of a row are those of the row that was there.
interface Line {
  element: HTMLElement;
  index: number;
  row: Row | undefined;
  cells: HTMLElement[];
  texts: string[];
}

/**
 * The rows that can be seen of a ring, made of the same few elements over and over, and only as text. What the user does is
 * drawn with the next frame, what comes at most ten times a second, however often refresh() is called.
 */
export class EventTable {
  #body: HTMLElement;
  #scroller: HTMLElement;
  #listener: TableListener;
  #rows: Ring<Row>;
  #columns: Column[] = [];
  #lines: Line[] = [];
  #selected = -1;
  #frame = 0;
  #drawnAt = -Infinity;
  #later: ReturnType<typeof setTimeout> | undefined;
  #virtualizer: Virtualizer<HTMLElement, HTMLElement>;
  #unmount: () => void;

  constructor(scroller: HTMLElement, body: HTMLElement, rows: Ring<Row>, listener: TableListener) {
    this.#scroller = scroller;
    this.#body = body;
    this.#rows = rows;
    this.#listener = listener;
    this.#virtualizer = new Virtualizer(this.#virtualizerOptions());
    this.#unmount = this.#virtualizer._didMount();
    this.#virtualizer._willUpdate();
    body.addEventListener('click', this.#clicked);
    body.addEventListener('mouseover', this.#pointed);
    scroller.addEventListener('keydown', this.#pressed);
  }

  end(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#later);
    this.#unmount();
    this.#body.removeEventListener('click', this.#clicked);
    this.#body.removeEventListener('mouseover', this.#pointed);
    this.#scroller.removeEventListener('keydown', this.#pressed);
  }

  show(rows: Ring<Row>): void {
    this.#rows = rows;
    this.#drawSoon();
  }

  set columns(columns: Column[]) {
    this.#columns = columns;
    this.#body.replaceChildren();
    this.#lines = [];
    this.#drawSoon();
  }

  refresh(): void {
    this.#later ??= setTimeout(() => this.#drawSoon(), this.#drawnAt + LEAST_MS - performance.now());
  }

  toTop(): void {
    this.#select(-1);
    this.#scroller.scrollTop = 0;
  }

  #virtualizerOptions() {
    return {
      count: this.#rows.size,
      getScrollElement: () => this.#scroller,
      estimateSize: () => ROW_HEIGHT,
      overscan: 4,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => {
        if (this.#scroller.scrollTop > ROW_HEIGHT) this.#listener.scrolledAway();
        this.#drawSoon();
      },
    };
  }

  #drawSoon(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#drawnAt = performance.now();
    this.#virtualizer.setOptions(this.#virtualizerOptions());
    this.#virtualizer._willUpdate();
    const items = this.#virtualizer.getVirtualItems();
    this.#body.style.height = `${this.#virtualizer.getTotalSize()}px`;
    while (this.#lines.length < items.length) this.#lines.push(this.#newLine());
    this.#lines.forEach((line, at) => {
      const item = items[at];
      line.element.hidden = item === undefined;
      if (item === undefined) {
        line.index = -1;
        line.element.removeAttribute('id'); // another line may have that row by now
        return;
      }
      if (line.index !== item.index) {
        line.index = item.index;
        line.element.style.transform = `translateY(${item.start}px)`;
        line.element.setAttribute('aria-rowindex', String(item.index + 2));
        line.element.id = `row-${item.index}`;
      }
      line.element.ariaSelected = String(item.index === this.#selected);
      this.#fill(line, this.#rows.newest(item.index));
    });
  }

  #newLine(): Line {
    const element = document.createElement('div');
    element.setAttribute('role', 'row');
    element.className = 'row';
    const cells = this.#columns.map((column) => {
      const cell = document.createElement('span');
      if (column.isNumber) cell.className = 'number';
      cell.setAttribute('role', 'gridcell');
      element.append(cell);
      return cell;
    });
    this.#body.append(element);
    return { element, index: -1, row: undefined, cells, texts: cells.map(() => '') };
  }

  #fill(line: Line, row: Row | undefined): void {
    if (row === undefined || line.row === row) return;
    line.row = row;
    const isNote = 'note' in row;
    line.element.className = isNote ? 'row note' : `row ${row.event.severity} ${answerClass(row.event)}`;
    line.cells.forEach((cell, at) => {
      const column = this.#columns[at]!;
      const text = isNote ? (at === 0 ? row.note : '') : column.text(row.event);
      if (text !== line.texts[at]) {
        line.texts[at] = cell.textContent = text;
        if (cell.title !== '') cell.title = titleOf(row, column, text);
      }
      cell.classList.toggle('value', !isNote && Boolean(column.field?.(row.event)));
    });
  }

  // The cell that the pointer is on, and what it shows.
  #cellOf({ target }: MouseEvent): { cell: HTMLElement; row: Row; column: Column } | undefined {
    const cell = (target as HTMLElement).closest<HTMLElement>('[role=gridcell]');
    const line = cell === null ? undefined : this.#lines.find((one) => one.cells.includes(cell));
    if (cell === null || line?.row === undefined) return undefined;
    return { cell, row: line.row, column: this.#columns[line.cells.indexOf(cell)]! };
  }

  #clicked = (event: MouseEvent): void => {
    const at = this.#cellOf(event);
    if (at === undefined) return;
    const { cell, row, column } = at;
    if ('event' in row && cell.classList.contains('value') && cell.textContent !== '') this.#listener.filterBy(row.event, column);
    else this.#listener.open(row);
  };

  #pointed = (event: MouseEvent): void => {
    const at = this.#cellOf(event);
    if (at !== undefined) at.cell.title = titleOf(at.row, at.column, at.cell.textContent ?? '');
  };

  #pressed = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / ROW_HEIGHT) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const row = this.#rows.newest(this.#selected);
    if (steps[event.key] !== undefined) this.#select(this.#selected + steps[event.key]!);
    else if (event.key === 'Home') this.toTop();
    else if (event.key === 'Enter' && row !== undefined) this.#listener.open(row);
    else return;
    event.preventDefault();
  };

  #select(index: number): void {
    this.#selected = Math.min(Math.max(index, -1), this.#rows.size - 1);
    if (this.#selected >= 0) {
      this.#listener.selected(this.#selected);
      this.#virtualizer.scrollToIndex(this.#selected, { align: 'auto' });
      this.#scroller.setAttribute('aria-activedescendant', `row-${this.#selected}`);
    } else {
      this.#scroller.removeAttribute('aria-activedescendant');
    }
    this.#drawSoon();
  }
}

// The text itself, which may be longer than its column.
function titleOf(row: Row, column: Column, text: string): string {
  return 'event' in row && column.hint !== undefined ? column.hint(row.event) : text;
}

function answerClass(event: BindcastEvent): string {
  const rcode = event.data['rcode'];
  return rcode === undefined || rcode === 'NOERROR' ? '' : rcode === 'NXDOMAIN' ? 'odd' : 'bad';
}
