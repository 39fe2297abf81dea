import { watch, type FSWatcher } from 'node:fs';

/** Also without a notice: some file systems give none, and nobody says that another process died. */
const LOOK_INTERVAL_MS = 1000;

/** Tells when files may have changed. Keeps the process alive: whoever follows a file is at work. */
export class FileChanges {
  readonly #watchers: FSWatcher[] = [];
  readonly #timer: NodeJS.Timeout;
  #count = 0;
  #wake: (() => void) | undefined;

  constructor() {
    this.#timer = setInterval(() => { this.#tell(); }, LOOK_INTERVAL_MS);
  }

  /** Look at the files after this, and wait for what came since. */
  get count(): number {
    return this.#count;
  }

  /** Where the system has no notices left, or there is no such file, the interval has to do. */
  watch(path: string): void {
    try {
      const watcher = watch(path, () => { this.#tell(); });
      watcher.on('error', () => { this.#tell(); });
      this.#watchers.push(watcher);
    } catch {
      this.#tell();
    }
  }

  /** Resolves when something came after `count`, or the signal aborts. */
  async since(count: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#count !== count || signal?.aborted === true) return;
    const wake = (): void => { this.#wake?.(); };
    signal?.addEventListener('abort', wake, { once: true });
    await new Promise<void>((resolve) => { this.#wake = resolve; });
    signal?.removeEventListener('abort', wake);
  }

  /** Watches nothing any more, until told to. */
  unwatch(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
  }

  close(): void {
    this.unwatch();
    clearInterval(this.#timer);
    this.#tell();
  }

  #tell(): void {
    this.#count += 1;
    this.#wake?.();
    this.#wake = undefined;
  }
}
