import { LATE, type RolloutItem, type Thread } from 'lastword';

/** Appends to one thread and remembers what append() answered. The rollout and the receipt are held against it. */
export class Witness {
  readonly thread: Thread;
  /** What append() took, in order: the first has ordinal 1, behind the header. */
  readonly taken: RolloutItem[] = [];
  /** Of these, how many were taken after close() had been called: before the seal, therefore. */
  takenWhileClosing = 0;
  /** How often the answer was LATE. */
  late = 0;
  /** Spent inside append(). */
  appendMs = 0;
  forced = false;
  /** What does not fit to what was seen here, in words. */
  readonly disagreements: string[] = [];
  #isClosing = false;

  constructor(thread: Thread) {
    this.thread = thread;
  }

  append(items: readonly RolloutItem[]): void {
    const begin = performance.now();
    const answers = items.map((item) => this.thread.append(item));
    this.appendMs += performance.now() - begin;
    for (const [index, item] of items.entries()) this.#note(item, answers[index]);
  }

  /** As the thread's close(); the receipt must say what was seen here. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const { items, nextOrdinal, late, forced } = await this.thread.close();
    this.forced = forced;
    this.#compare('receipt.items', items, this.taken.length);
    this.#compare('receipt.nextOrdinal', nextOrdinal, this.taken.length + 1);
    this.#compare('receipt.late', late, this.late);
  }

  #note(item: RolloutItem, answer: number | undefined): void {
    if (answer === LATE) {
      this.late += 1;
      return;
    }
    this.#compare('the ordinal', answer, this.taken.push(item));
    if (this.#isClosing) this.takenWhileClosing += 1;
  }

  #compare(what: string, said: number | undefined, seen: number): void {
    if (said !== seen) this.disagreements.push(`thread ${this.thread.id}: ${what} is ${said}, and should be ${seen}`);
  }
}
