import { itemResult, type ItemState } from './job-state.js';
import type { JobEvent, JobProgress } from './types.js';

/** What a job tells those who iterate it. Nothing is kept for them: each has its place in what has ended, in the order of ending. */
export class JobEvents<Result> {
  readonly #ended: ItemState[];
  readonly #progress: () => JobProgress;
  readonly #before: number;
  #changes = 0;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  /** Of those who have seen all. */
  #wake: (() => void)[] = [];

  constructor(items: readonly ItemState[], progress: () => JobProgress) {
    this.#ended = items.filter(({ status }) => status !== 'pending' && status !== 'running');
    this.#before = this.#ended.length;
    this.#progress = progress;
  }

  /** Items that ended since the job was begun or resumed. */
  get endedCount(): number {
    return this.#ended.length - this.#before;
  }

  ended(item: ItemState): void {
    this.#ended.push(item);
  }

  progressed(): void {
    this.#changes += 1;
    this.#tell();
  }

  end(failure: { readonly error: unknown } | undefined): void {
    this.#isOver = true;
    this.#failure = failure;
    this.#tell();
  }

  async *from(): AsyncGenerator<JobEvent<Result>, void, undefined> {
    let next = 0;
    let changes = -1;
    for (;;) {
      for (let item = this.#ended[next]; item !== undefined; item = this.#ended[next]) {
        next += 1;
        yield { type: 'item', item: itemResult(item) };
      }
      if (changes !== this.#changes) {
        changes = this.#changes;
        yield { type: 'progress', progress: this.#progress() };
      } else if (this.#isOver) {
        if (this.#failure !== undefined) throw this.#failure.error;
        yield { type: 'done' };
        return;
      } else await new Promise<void>((resolve) => { this.#wake.push(resolve); });
    }
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
