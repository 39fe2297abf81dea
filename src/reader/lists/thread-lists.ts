import { isThreadId } from '../../rollout/thread-id.js';
import { invalidOption } from '../../options.js';
import type { FilePool } from '../../pool/file-pool.js';
import type { ListOptions, ThreadId, ThreadPage, ThreadSummary } from '../../types.js';
import { codexHolder, leaseHolder, leasePath } from '../lease-holder.js';
import { Locator } from '../locate.js';
import { encodeCursor, type Position } from './order.js';
import { Place } from './place.js';
import { checkList, type Query } from './query.js';
import { isDamaged, summarise, type DamagedRollout } from './summarise.js';
import { walk } from './walk.js';

/** What lists need of the sidecar they are of. */
export interface ListHost {
  readonly directory: string;
  readonly pool: FilePool;
  /** What was accepted is in the files, unless that takes long. */
  caughtUp(): Promise<void>;
  /** Which opening of a sidecar this is, as its leases say. */
  readonly instance: string;
  isOpenHere(id: ThreadId): boolean;
  /** Rollouts of this sidecar that may have changed since it was asked last. */
  changedPaths(): string[];
  /** The catalogue could not be written: the next one is made again. */
  unsaved(code: string): void;
}

/** Looked at at each end of a rollout that is on a page. */
const WINDOW_BYTES = 2 << 20;
/** Files opened at the same time. */
const AT_ONCE = 8;
/** Files on a page that turn out to be no threads; further ones are the next page's. */
const OTHERS_MAX = 1000;

interface Examined {
  readonly place: Place;
  readonly found: ThreadSummary | DamagedRollout | undefined;
}

/** Threads as they are stored, one by one and page by page. */
export class ThreadLists {
  readonly #host: ListHost;

  constructor(host: ListHost) {
    this.#host = host;
  }

  /** @throws LASTWORD_INVALID_OPTION */
  async get(id: ThreadId): Promise<ThreadSummary | undefined> {
    if (!isThreadId(id)) throw invalidOption('id', id, 'a lower-case UUID');
    await this.#host.caughtUp();
    const stored = await new Locator(this.#host.directory).locate(id);
    if (stored === undefined) return undefined;
    const summary = await summarise(stored.path, stored.isArchived, Infinity);
    if (summary === undefined || isDamaged(summary)) return undefined;
    return { ...summary, owner: await this.#ownerOf(id) };
  }

  /** @throws LASTWORD_INVALID_OPTION */
  async list(options: ListOptions): Promise<ThreadPage> {
    const query = checkList(options);
    await this.#host.caughtUp();
    const { directory } = this.#host;
    const isByName = query.sort === 'created' && query.parentId === undefined && query.cwd === undefined;
    const places = isByName ? walk(directory, { ...query, count: query.limit + 1 }) : this.#select(query);
    try {
      return await this.#fill(places, query);
    } finally {
      await places.return();
    }
  }

  async #fill(places: AsyncGenerator<Place, void, undefined>, query: Query): Promise<ThreadPage> {
    const locator = new Locator(this.#host.directory);
    const threads: ThreadSummary[] = [];
    const damaged: DamagedRollout[] = [];
    let others = 0;
    let last: Position | undefined;
    while (threads.length < query.limit && others < OTHERS_MAX) {
      const batch = await take(places, Math.min(AT_ONCE, query.limit - threads.length));
      if (batch.length === 0) return { threads, nextCursor: undefined, damaged };
      for (const { place, found } of await Promise.all(batch.map((each) => this.#examine(each, query, locator)))) {
        last = place;
        if (found === undefined || isDamaged(found)) others += 1;
        if (found === undefined) continue;
        if (isDamaged(found)) damaged.push(found);
        else threads.push(found);
      }
    }
    const isMore = (await take(places, 1)).length > 0;
    return { threads, nextCursor: isMore && last !== undefined ? encodeCursor(query.sort, last) : undefined, damaged };
  }

  /** Undefined where there is nothing any more, or nothing that was asked for. */
  async #examine(place: Place, query: Query, locator: Locator): Promise<Examined> {
    const { directory } = this.#host;
    const path = place.pathIn(directory);
    const found = place.problem === undefined ? await summarise(path, place.isArchived, WINDOW_BYTES) : { path, reason: place.problem };
    if (found === undefined || isDamaged(found)) return { place, found };
    const isAsked = (query.parentId === undefined || found.parentId === query.parentId) && (query.cwd === undefined || found.meta['cwd'] === query.cwd);
    if (!isAsked) return { place, found: undefined };
    if (!await locator.isWhereItShouldBe(found.id, path)) return { place, found: { path, reason: 'another rollout has its id' } };
    return { place, found: { ...found, owner: await this.#ownerOf(found.id) } };
  }

  /** By the catalogue, some more than needed at a time. */
  async* #select({ limit, ...query }: Query): AsyncGenerator<Place, void, undefined> {
    const { directory, pool } = this.#host;
    let { after } = query;
    for (let isMore = true; isMore;) {
      const answer = await pool.run('select-rollouts', { ...query, after, directory, count: limit + 1, changed: this.#host.changedPaths() });
      isMore = answer.isMore;
      if (answer.unsaved !== undefined) this.#host.unsaved(answer.unsaved);
      for (const { folder, name, key, problem } of answer.rollouts) {
        const place = new Place(folder, name, key, problem);
        yield place;
        after = { key: place.key, tie: place.tie };
      }
    }
  }

  async #ownerOf(id: ThreadId): Promise<ThreadSummary['owner']> {
    if (this.#host.isOpenHere(id)) return 'self';
    const { directory } = this.#host;
    const holder = await leaseHolder(leasePath(directory, id));
    if (holder === undefined) return codexHolder(directory, id);
    const { owner } = holder;
    if (owner === undefined) return undefined;
    return owner.instance === this.#host.instance ? 'self' : { pid: owner.pid, host: owner.host };
  }
}

/** The next few; fewer at the end. */
async function take(places: AsyncGenerator<Place, void, undefined>, count: number): Promise<Place[]> {
  const taken: Place[] = [];
  while (taken.length < count) {
    const { value } = await places.next();
    if (value === undefined) break;
    taken.push(value);
  }
  return taken;
}
