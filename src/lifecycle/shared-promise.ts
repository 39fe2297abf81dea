/** One promise for everybody who asks while it is under way or once it is fulfilled; after a rejection it begins anew. */
export class SharedPromise<T> {
  #promise: Promise<T> | undefined;

  /** The promise under way, or fulfilled. */
  get current(): Promise<T> | undefined {
    return this.#promise;
  }

  get(begin: () => Promise<T>): Promise<T> {
    this.#promise ??= begin().catch((error: unknown) => {
      this.#promise = undefined;
      throw error;
    });
    return this.#promise;
  }
}
