/** What was handed over and is not yet acknowledged. */
export class Outstanding {
  #count = 0;
  #waiting: { readonly atMost: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #failure: { readonly error: unknown } | undefined;

  get count(): number {
    return this.#count;
  }

  add(): void {
    this.#count += 1;
  }

  done(count = 1): void {
    this.#count -= count;
    const ready = this.#waiting.filter(({ atMost }) => this.#count <= atMost);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter(({ atMost }) => this.#count > atMost);
    for (const { resolve } of ready) resolve();
  }

  /** Whoever waits, now or later, gets this error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Resolves when no more than so many are left. */
  atMost(count: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#count <= count) return Promise.resolve();
    return new Promise((resolve, reject) => { this.#waiting.push({ atMost: count, resolve, reject }); });
  }
}
