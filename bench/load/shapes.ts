import type { RolloutItem } from 'lastword';
import { BUILDERS, type Facts } from './builders.js';
import { Prng } from './prng.js';
import { BURSTS, FIRST_LINE, FOREIGN_SHARE, SHAPES, bytesAt, type Shape } from './shape-table.js';
import { TextSource } from './text.js';

const HEX = '0123456789abcdef';
/** Real arrays of texts are cut into parts, and each part costs some members of its own. */
const FILL_ROUNDS_MAX = 4;
const percentOf = (shapes: readonly Shape[]): number => shapes.reduce((sum, { percent }) => sum + percent, 0);
const PERCENT_TOTAL = percentOf(SHAPES);
/** Opaque text is always ASCII, so the other lines must have the whole share of foreign ones. */
const FOREIGN_CHANCE = (FOREIGN_SHARE * PERCENT_TOTAL) / percentOf(SHAPES.filter(({ text }) => text !== 'opaque'));

/** Bytes of the record's line, without newline, without `ordinal`: the form in which the shapes were measured. */
export function lineBytes(item: RolloutItem): number {
  return Buffer.byteLength(JSON.stringify({ timestamp: '2026-05-11T08:27:17.490Z', ...item }));
}

let sharedTexts: TextSource | undefined;   // takes 40 ms to make, and holds no state

/**
 * Draws items as they are in real rollouts: types by their share, sizes from their quantiles. The same seed gives the
 * same items. Call ids pair each output with the call before it.
 */
export class ShapeSource {
  readonly #prng: Prng;
  readonly #texts: TextSource;
  readonly #threadId: string;
  #turnId: string;
  #callId: string;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.#texts = sharedTexts ??= new TextSource();
    this.#threadId = this.#uuid();
    this.#turnId = this.#uuid();
    this.#callId = this.#call();
  }

  /** A whole rollout: a header of 20 to 40 KB, then `count` - 1 drawn items. */
  rolloutItems(count: number): RolloutItem[] {
    return Array.from({ length: count }, (_none, index) => (index === 0 ? this.#build(FIRST_LINE) : this.item()));
  }

  item(): RolloutItem {
    let left = this.#prng.next() * PERCENT_TOTAL;
    for (const shape of SHAPES) {
      left -= shape.percent;
      if (left < 0) return this.#build(shape);
    }
    return this.#build(FIRST_LINE);   // only a rounding error of the sum comes here
  }

  /** How many items come at once. */
  burst(): number {
    return drawBurst(this.#prng);
  }

  #build(shape: Shape): RolloutItem {
    if (shape.name === 'task_started') this.#turnId = this.#uuid();
    if (shape.name === 'function_call' || shape.name === 'custom_tool_call') this.#callId = this.#call();
    const facts: Facts = {
      threadId: this.#threadId, turnId: this.#turnId, callId: this.#callId, cwd: '/home/agent/repos/project',
      time: '2026-05-11T08:26:55.042Z', number: 1000 + this.#prng.below(100_000),
    };
    const target = bytesAt(shape, this.#prng.next());
    const foreign = this.#prng.next() < FOREIGN_CHANCE;
    return this.#fill(shape, facts, target, foreign);
  }

  #fill(shape: Shape, facts: Facts, target: number, foreign: boolean): RolloutItem {
    const build = BUILDERS[shape.name];
    let item = build(facts, '');
    let textBytes = 0;
    for (let round = 0; round < FILL_ROUNDS_MAX; round += 1) {
      const missing = target - lineBytes(item);
      if (missing === 0 || textBytes + missing <= 0) break;
      textBytes += missing;
      item = build(facts, this.#texts.text(shape.text, textBytes, foreign, this.#prng));
    }
    return item;
  }

  #uuid(): string {
    const digits = this.#prng.letters(29, HEX);
    return `019e1${digits.slice(0, 3)}-${digits.slice(3, 7)}-7${digits.slice(7, 10)}-a${digits.slice(10, 13)}-${digits.slice(13, 25)}`;
  }

  #call(): string {
    return `call_${this.#prng.letters(24, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789')}`;
  }
}

export function drawBurst(prng: Prng): number {
  const share = prng.next();
  const { lines: [least, most] } = BURSTS.find(({ upTo }) => share < upTo) ?? { lines: [1, 1] };
  return least + prng.below(most - least + 1);
}
