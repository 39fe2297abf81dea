/** One promise for everybody who asks while it is under way or once it is fulfilled; after a rejection it begins anew. */
export class SharedPromise<T> {
  #promise: Promise<T> | undefined;

  /** The promise under way, or fulfilled. */
  get current(): Promise<T> | undefined {
    return this.#promise;
  }

  /** Who asks from within `begin` gets it too. */
  get(begin: () => Promise<T>): Promise<T> {
    if (this.#promise !== undefined) return this.#promise;
    let follow: (began: Promise<T>) => void = () => undefined;
    this.#promise = new Promise((resolve) => { follow = resolve; });
    follow(begin().catch((error: unknown) => {
      this.#promise = undefined;
      throw error;
    }));
    return this.#promise;
  }
}
