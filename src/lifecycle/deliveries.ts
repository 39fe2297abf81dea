import { kindOfThrown } from '../thrown.js';
import { LATE, type RolloutItem } from '../types.js';

export type Listener = (item: RolloutItem, ordinal: number) => void;

/** An item on its way to the subscribers. */
export interface Delivery {
  readonly item: RolloutItem;
  readonly ordinal: number;
  /** Whether the record is as safe as was asked. @throws what keeps it from ever being that */
  readonly isReached: () => boolean;
}

interface Pending extends Delivery {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Delivers in the order of the ordinals, whatever each waits for: what comes behind a slow one waits with it. */
export class Deliveries {
  readonly #listeners = new Set<Listener>();
  readonly #queue: Pending[] = [];
  /** Waits until the first of the queue is reached, or for some time. */
  readonly #wait: (isReached: () => boolean) => Promise<void>;
  /** Hears the kind of what was thrown. */
  readonly #onThrow: (thrown: string, ordinal: number) => void;
  /** Listeners that have thrown: each is told of once. */
  readonly #thrown = new WeakSet<Listener>();
  #isWaiting = false;

  constructor(wait: (isReached: () => boolean) => Promise<void>, onThrow: (thrown: string, ordinal: number) => void) {
    this.#wait = wait;
    this.#onThrow = onThrow;
  }

  subscribe(listener: Listener): () => void {
    const own: Listener = (item, ordinal) => { listener(item, ordinal); };
    this.#listeners.add(own);
    return () => { this.#listeners.delete(own); };
  }

  /** Resolves once it is delivered. */
  add(delivery: Delivery): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...delivery, resolve, reject });
      this.deliver();
      if (this.#queue.length > 0 && !this.#isWaiting) void this.#run();
    });
  }

  /** Delivers what is reached now, from the front of the queue. */
  deliver(): void {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const { item, ordinal, isReached, resolve, reject } = first;
      try {
        if (!isReached()) return;
      } catch (error) {
        // It was accepted and is not kept: whoever listens hears of it all the same.
        this.#queue.shift();
        this.#call(item, LATE);
        reject(error);
        continue;
      }
      this.#queue.shift();
      this.#call(item, ordinal);
      resolve();
    }
  }

  async #run(): Promise<void> {
    this.#isWaiting = true;
    while (this.#queue.length > 0) {
      await this.#wait(() => this.#isFirstSettled());
      this.deliver();
    }
    this.#isWaiting = false;
  }

  /** Reached, or never to be. */
  #isFirstSettled(): boolean {
    try {
      return this.#queue[0]?.isReached() ?? true;
    } catch {
      return true; // deliver() meets it again, and rejects with it
    }
  }

  #call(item: RolloutItem, ordinal: number): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(item, ordinal);
      } catch (error) {
        if (!this.#thrown.has(listener)) this.#onThrow(kindOfThrown(error), ordinal);
        this.#thrown.add(listener);
      }
    }
  }
}
