import { jobCorrupt } from './errors.js';
import type { JobSettings } from './options.js';
import type { JobRecord, JobRecords } from './records.js';
import type { JobItemResult, JobItemStatus } from './types.js';

/** What an item may become. Running again without an end: a crash or close interrupted the attempt before. */
export const ITEM_MOVES = {
  pending: ['running', 'cancelled'],
  running: ['running', 'pending', 'completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
} as const satisfies Record<JobItemStatus, readonly JobItemStatus[]>;

/** One row, without the row. */
export interface ItemState {
  readonly itemId: string;
  readonly index: number;
  status: JobItemStatus;
  /** Begun. */
  attempts: number;
  /** Attempts that ended without a result. */
  failures: number;
  result: unknown;
  error: string | undefined;
  /** Wall clock, ms: of the first attempt's start, and of the end. */
  startedMs: number | undefined;
  finishedMs: number | undefined;
}

export function isOver({ status }: ItemState): boolean {
  return ITEM_MOVES[status].length === 0;
}

/** What a job is: a fold over the records of its log, the same while it runs as when it is resumed. */
export class JobState {
  readonly #items: ItemState[] = [];
  readonly #byId = new Map<string, ItemState>();
  readonly #counts: Record<JobItemStatus, number> = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
  settings: Partial<JobSettings> | undefined;
  /** Names of the columns, once all rows are there. */
  columns: readonly string[] | undefined;
  finished: JobRecords['job_finished'] | undefined;
  /** Items that were reported, and the record of their end is not there: a crash came between. */
  readonly unconfirmed = new Set<ItemState>();
  /** Ordinal of the record with which the job begins: rows come behind it. */
  begins = 0;

  get items(): readonly ItemState[] {
    return this.#items;
  }

  get counts(): Readonly<Record<JobItemStatus, number>> {
    return this.#counts;
  }

  item(itemId: string): ItemState | undefined {
    return this.#byId.get(itemId);
  }

  /** `timeMs`: when it was appended. @throws LASTWORD_ROLLOUT_CORRUPT for what no job writes */
  apply({ type, payload }: JobRecord, ordinal: number, timeMs: number): void {
    switch (type) {
      case 'job_created':
        this.#begin(payload.settings, ordinal);
        break;
      case 'item_added':
        this.#add(payload);
        break;
      case 'job_ready':
        if (payload.items !== this.#items.length) throw jobCorrupt(`has ${this.#items.length} of ${payload.items} rows`, { ordinal });
        this.columns = payload.columns;
        break;
      case 'item_started': {
        const item = this.#itemOf(payload, ordinal);
        this.#move(item, 'running', ordinal);
        item.attempts = payload.attempt;
        item.startedMs ??= timeMs;
        item.error = undefined;
        break;
      }
      case 'item_reported': {
        const item = this.#itemOf(payload, ordinal);
        this.#move(item, 'completed', ordinal);
        item.result = payload.result;
        this.unconfirmed.add(item);
        item.finishedMs = timeMs;
        break;
      }
      case 'item_finished': {
        const item = this.#itemOf(payload, ordinal);
        // Its report said so already.
        if (payload.status === 'completed' && this.unconfirmed.delete(item)) break;
        this.#move(item, payload.status, ordinal);
        item.error = payload.error;
        if (payload.status === 'pending' || payload.status === 'failed') item.failures += 1;
        if (isOver(item)) item.finishedMs = timeMs;
        break;
      }
      case 'job_finished':
        this.finished = payload;
        for (const item of this.#items) if (!isOver(item)) this.#move(item, 'cancelled', ordinal);
        break;
    }
  }

  #begin(settings: Partial<JobSettings>, ordinal: number): void {
    this.settings = settings;
    this.columns = undefined;
    this.begins = ordinal;
    this.#items.length = 0;
    this.#byId.clear();
    this.#counts.pending = 0;
  }

  #add({ item_id: itemId, index }: JobRecords['item_added']): void {
    if (index !== this.#items.length) throw jobCorrupt(`has row ${index} in the place of row ${this.#items.length}`, { index });
    const item: ItemState = {
      itemId, index, status: 'pending', attempts: 0, failures: 0, result: undefined, error: undefined, startedMs: undefined, finishedMs: undefined,
    };
    this.#items.push(item);
    this.#byId.set(itemId, item);
    this.#counts.pending += 1;
  }

  #itemOf({ index }: { readonly index: number }, ordinal: number): ItemState {
    const item = this.#items[index];
    if (item === undefined || this.columns === undefined) throw jobCorrupt(`speaks of row ${index}, which it does not have`, { ordinal, index });
    return item;
  }

  #move(item: ItemState, to: JobItemStatus, ordinal: number): void {
    if (!(ITEM_MOVES[item.status] as readonly JobItemStatus[]).includes(to)) throw jobCorrupt(`makes a ${item.status} item ${to}`, { ordinal, index: item.index });
    this.#counts[item.status] -= 1;
    this.#counts[to] += 1;
    item.status = to;
  }
}

/** As the host sees it. */
export function itemResult<Result>({ itemId, index, status, attempts, result, error }: ItemState): JobItemResult<Result> {
  return { itemId, index, status, attempts, ...(status === 'completed' ? { result: result as Result } : {}), ...(error === undefined ? {} : { error }) };
}
