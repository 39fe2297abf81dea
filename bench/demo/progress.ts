const TTY_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 2000;

/** One line that is rewritten on a terminal; elsewhere a plain line now and then. Goes to stderr: the result is stdout. */
export class Progress {
  readonly #isTty = process.stderr.isTTY;
  #shownMs = performance.now();

  show(text: () => string): void {
    const now = performance.now();
    if (now - this.#shownMs < (this.#isTty ? TTY_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
    this.#shownMs = now;
    process.stderr.write(this.#isTty ? `\r\u001B[2K${text()}` : `${text()}\n`);
  }

  end(): void {
    if (this.#isTty) process.stderr.write('\r\u001B[2K');
  }
}
