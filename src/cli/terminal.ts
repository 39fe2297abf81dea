/** Where commands write to, and how they are told to stop. */
import { once } from 'node:events';
import { styleText } from 'node:util';
import type { WriteStream } from 'node:tty';
import { printable } from './text.js';

type Style = Parameters<typeof styleText>[0];
const COLUMNS_DEFAULT = 80;

export class Terminal {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Undefined in a pipe: nothing is cut there. */
  readonly columns: number | undefined;
  readonly #out: NodeJS.WriteStream;
  readonly #isColoured: boolean;

  constructor(signal: AbortSignal, out = process.stdout) {
    this.signal = signal;
    this.#out = out;
    const isTerminal = (out as Partial<WriteStream>).isTTY === true;
    this.columns = isTerminal ? out.columns || COLUMNS_DEFAULT : undefined;
    // hasColors() heeds NO_COLOR, FORCE_COLOR and TERM.
    this.#isColoured = isTerminal && out.hasColors();
  }

  /** What is printed on a terminal in colour. */
  style(style: Style, text: string): string {
    return this.#isColoured && text !== '' ? styleText(style, text) : text;
  }

  /** A line. Resolves when more is wanted. @throws the signal's reason */
  async line(text: string): Promise<void> {
    this.signal.throwIfAborted();
    if (!this.#out.write(`${text}\n`)) await once(this.#out, 'drain', { signal: this.signal });
  }

  /** An object, on a line of its own. */
  json(value: unknown): Promise<void> {
    return this.line(printable(JSON.stringify(value)));
  }

  /** Beside what was asked for. */
  warn(text: string): void {
    process.stderr.write(`lastword: ${printable(text)}\n`);
  }
}
