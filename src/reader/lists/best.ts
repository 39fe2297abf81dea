import { comparator, type Direction, type Position } from './order.js';

/** Of things that come in any order those that come first behind a position, so many of them, and whether there are others. */
export class Best<T extends Position> {
  readonly #compare: (one: Position, other: Position) => number;
  readonly #after: Position | undefined;
  readonly #count: number;
  /** 1 or -1: what a later key has more. */
  readonly #sign: number;
  #kept: T[] = [];
  /** What comes behind it is not among them. */
  #last: T | undefined;

  constructor({ direction, after, count }: { readonly direction: Direction; readonly after: Position | undefined; readonly count: number }) {
    this.#compare = comparator(direction);
    this.#after = after;
    this.#count = count;
    this.#sign = direction === 'asc' ? 1 : -1;
  }

  /** Whether the key alone leaves open that it is among them. */
  mayTake(key: number): boolean {
    return (this.#after === undefined || (key - this.#after.key) * this.#sign >= 0) && (this.#last === undefined || (key - this.#last.key) * this.#sign <= 0);
  }

  take(thing: T): void {
    if (this.#after !== undefined && this.#compare(thing, this.#after) <= 0) return;
    this.#kept.push(thing);
    if (this.#kept.length > 2 * this.#count + 2) this.#sort();
  }

  get taken(): { readonly first: T[]; readonly isMore: boolean } {
    this.#sort();
    return { first: this.#kept.slice(0, this.#count), isMore: this.#kept.length > this.#count };
  }

  /** One more than is asked for shows that there are others. */
  #sort(): void {
    this.#kept.sort(this.#compare).splice(this.#count + 1);
    if (this.#kept.length > this.#count) this.#last = this.#kept.at(-1);
  }
}
