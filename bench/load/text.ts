import { Prng } from './prng.js';

/**
 * Where a text stands in its record: `prose` is escaped once, `nested` twice (JSON inside a JSON string, as tool
 * arguments are), `opaque` never (base64).
 */
export type TextKind = 'prose' | 'nested' | 'opaque';

const MASTER_CHARACTERS = 1 << 18;
const OPAQUE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const WORDS = [
  'the', 'test', 'const', 'return', 'file', 'src/agents/run.ts', 'import', 'it', 'should', 'value', 'of', 'error', 'a',
  'await', 'session', 'pass', '=>', '{', '}', 'function', 'to', 'is', 'thread', 'line', '42', '0x1f', 'true', '===',
] as const;
const FOREIGN = ['é', 'ü', '→', '—', '✓', '“', '漢字', 'привет', '│', '…'] as const;

/** What a character costs in the line, bytes, at each depth of escaping. */
const costOf = (character: string, depth: 1 | 2): number => {
  const once = JSON.stringify(character);
  return Buffer.byteLength(depth === 1 ? once : JSON.stringify(once.slice(1, -1))) - 2;
};

/**
 * Cuts texts of an exact size *in the line* out of one long text. Escapes are as dense as in real rollouts: of 27
 * backslashes in 1 KB of lines, 12 belong to line breaks, the others to quotes and backslashes.
 */
class Master {
  readonly #text: string;
  readonly #costUpTo: { readonly 1: Float64Array; readonly 2: Float64Array };

  constructor(prng: Prng, foreign: boolean) {
    const parts: string[] = [];
    for (let length = 0; length < MASTER_CHARACTERS;) {
      const part = Master.#part(prng, foreign);
      parts.push(part);
      length += part.length;
    }
    this.#text = parts.join('');
    this.#costUpTo = { 1: Master.#sum(this.#text, 1), 2: Master.#sum(this.#text, 2) };
  }

  /** Exactly `bytes` bytes once it stands in the line. */
  cut(bytes: number, depth: 1 | 2, prng: Prng): string {
    const costs = this.#costUpTo[depth];
    const total = costs[this.#text.length] ?? 0;
    let text = '';
    let missing = bytes;
    while (missing > 0) {
      const from = prng.below(this.#text.length >> 1);
      const start = costs[from] ?? 0;
      const to = missing > total - start ? this.#text.length : lastAtMost(costs, start + missing, from);
      text += this.#text.slice(from, to);
      missing -= (costs[to] ?? 0) - start;
      if (missing < 8) return text + '.'.repeat(missing);   // the next character did not fit
    }
    return text;
  }

  static #part(prng: Prng, foreign: boolean): string {
    const chance = prng.next();
    if (chance < 0.05) return '\n';
    if (chance < 0.082) return `"${prng.pick(WORDS)}" `;
    if (chance < 0.09) return '\\';
    if (foreign && chance < 0.16) return `${prng.pick(FOREIGN)} `;
    return `${prng.pick(WORDS)} `;
  }

  static #sum(text: string, depth: 1 | 2): Float64Array {
    const costs = new Float64Array(text.length + 1);
    const known = new Map<string, number>();
    let sum = 0;
    for (let index = 0; index < text.length; index += 1) {
      const character = text.charAt(index);
      let cost = known.get(character);
      if (cost === undefined) known.set(character, (cost = costOf(character, depth)));
      costs[index + 1] = sum += cost;
    }
    return costs;
  }
}

/** The last place at or after `from` whose cost is at most `limit`. */
function lastAtMost(costs: Float64Array, limit: number, from: number): number {
  let low = from;
  let high = costs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((costs[middle] ?? 0) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Texts for a whole load. The two long texts do not depend on the seed; what is cut out of them does. */
export class TextSource {
  readonly #plain = new Master(new Prng(1), false);
  readonly #foreign = new Master(new Prng(2), true);

  /** A text that takes exactly `bytes` bytes in its line; with `foreign`, not all of it is ASCII. */
  text(kind: TextKind, bytes: number, foreign: boolean, prng: Prng): string {
    if (bytes <= 0) return '';
    if (kind === 'opaque') return this.#opaque(bytes, prng);
    const depth = kind === 'prose' ? 1 : 2;
    if (!foreign || bytes < 8) return this.#plain.cut(bytes, depth, prng);
    // A short cut might have no foreign character by chance.
    return `é→${this.#foreign.cut(bytes - Buffer.byteLength('é→'), depth, prng)}`;
  }

  #opaque(bytes: number, prng: Prng): string {
    const block = prng.letters(Math.min(bytes, 512), OPAQUE);
    return block.repeat(Math.ceil(bytes / block.length)).slice(0, bytes);
  }
}
