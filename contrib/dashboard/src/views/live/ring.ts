/** The newest items, up to a bound; the oldest make room. */
export class Ring<Item> {
  #items: Item[] = [];
  #next = 0; // where the next one goes, once the ring is full
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.#items.length;
  }

  push(item: Item): void {
    if (this.#items.length < this.capacity) {
      this.#items.push(item);
    } else {
      this.#items[this.#next] = item;
      this.#next = (this.#next + 1) % this.capacity;
    }
  }

  /** 0 is the newest one. */
  newest(index: number): Item | undefined {
    if (index < 0 || index >= this.size) return undefined;
    return this.#items[(this.#next + this.size - 1 - index) % this.size];
  }

  clear(): void {
    this.#items = [];
    this.#next = 0;
  }

  /** As it is now, whatever comes later. */
  copy(): Ring<Item> {
    const other = new Ring<Item>(this.capacity);
    other.#items = this.#items.slice();
    other.#next = this.#next;
    return other;
  }
}
