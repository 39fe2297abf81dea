import { comparator, createdKey, spanOf, type Position } from '../../src/reader/lists/order.js';
import { Place, ROOTS } from '../../src/reader/lists/place.js';
import type { SelectedRollouts, SelectRollouts } from '../../src/pool/tasks.js';
import type { Catalogue } from './catalogue.js';
import type { Row } from './rows.js';

type Wanted = Omit<SelectRollouts, 'directory' | 'changed'>;

/** The first `count` that are asked for, in order, and whether there are others behind them. */
export function select(catalogue: Catalogue, wanted: Wanted): Pick<SelectedRollouts, 'rollouts' | 'isMore'> {
  const best = new Best(wanted);
  for (const { path, rows } of catalogue.folders) {
    if (path.startsWith(ROOTS.archived) !== wanted.isArchived) continue;
    const span = spanOf(path);
    for (const row of rows) {
      if (!isWanted(row, wanted)) continue;
      const key = wanted.sort === 'updated' ? row.modifiedMs : createdKey(row.name, span);
      if (best.mayTake(key)) best.take(new Place(path, row.name, key));
    }
  }
  for (const [path, problem] of catalogue.problems) {
    const { from, to } = spanOf(path);
    if (path.startsWith(ROOTS.archived) === wanted.isArchived) best.take(new Place(path, '', wanted.direction === 'desc' ? to : from, problem));
  }
  return best.taken;
}

/** What cannot be summarised is asked for by everybody. */
function isWanted(row: Row, { parentId, cwd }: Wanted): boolean {
  return row.isDamaged || ((parentId === undefined || row.parentId === parentId) && (cwd === undefined || row.cwd === cwd));
}

/** Keeps what comes first behind a position, one more than is asked for. */
class Best {
  readonly #places: Place[] = [];
  readonly #compare: (one: Position, other: Position) => number;
  readonly #after: Position | undefined;
  readonly #count: number;
  /** 1 or -1: what a later key has more. */
  readonly #sign: number;

  constructor({ direction, after, count }: Wanted) {
    this.#compare = comparator(direction);
    this.#after = after;
    this.#count = count;
    this.#sign = direction === 'asc' ? 1 : -1;
  }

  get taken(): { rollouts: Place[]; isMore: boolean } {
    return { rollouts: this.#places.slice(0, this.#count), isMore: this.#places.length > this.#count };
  }

  /** Whether the key alone leaves that open. */
  mayTake(key: number): boolean {
    const worst = this.#places.length > this.#count ? this.#places.at(-1) : undefined;
    return (this.#after === undefined || (key - this.#after.key) * this.#sign >= 0) && (worst === undefined || (key - worst.key) * this.#sign <= 0);
  }

  take(place: Place): void {
    if (this.#after !== undefined && this.#compare(place, this.#after) <= 0) return;
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#places[middle] as Place, place) < 0) low = middle + 1;
      else high = middle;
    }
    this.#places.splice(low, 0, place);
    if (this.#places.length > this.#count + 1) this.#places.pop();
  }
}
