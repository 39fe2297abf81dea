/** Steps of a test that are brought about, not waited for by the clock. */

/** A promise and what settles it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((onResolve) => { resolve = onResolve; });
  return { promise, resolve };
}

/** One turn of the event loop: every microtask is done. */
export const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** The promise's value, or a failure that names what was waited for. */
export async function within<T>(promise: PromiseLike<T>, what: string, timeoutMs = 20_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${what} did not happen in ${timeoutMs} ms`)); }, timeoutMs);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** How the promise settled: its value in words, or the code of what it rejected with. */
export async function outcomeOf<T>(promise: PromiseLike<T>, word: (value: T) => string): Promise<string> {
  return Promise.resolve(promise).then(word, (error: unknown) => (error as { code?: string }).code ?? String(error));
}
