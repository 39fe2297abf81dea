import type { RolloutItem } from 'lastword';
import { Prng } from './prng.js';
import { FOREIGN_SHARE } from './shape-table.js';
import { TextSource } from './text.js';

export const FIXED_SIZES = ['116 B', '520 B', '1.1 kB', '8.5 kB', '64 kB', '1 MB'] as const;
export type FixedSize = (typeof FIXED_SIZES)[number];

/** Bytes of the record's line with newline, a timestamp and an ordinal of four digits; our checksum is not counted. */
export const FIXED_BYTES: Readonly<Record<FixedSize, number>> = {
  '116 B': 116, '520 B': 520, '1.1 kB': 1100, '8.5 kB': 8500, '64 kB': 64_000, '1 MB': 1_000_000,
};

/** A streamed delta: the least a record can be. */
const delta = (text: string): RolloutItem => ({ type: 'event_msg', payload: { type: 'delta', text } });

/** Many keys, nearly no text: 25 with those of the envelope. */
const tokenCount = (prng: Prng, text: string): RolloutItem => {
  const usage = (): Record<string, number> => ({
    input_tokens: 1000 + prng.below(9000), cached_input_tokens: 100 + prng.below(900),
    output_tokens: 10 + prng.below(90), reasoning_output_tokens: 10 + prng.below(90), total_tokens: 9000,
  });
  return {
    type: 'event_msg',
    payload: {
      type: 'token_count',
      info: { total_token_usage: usage(), last_token_usage: usage(), model_context_window: 258400 },
      rate_limits: { primary: { used_percent: 10 + prng.below(90), resets_at: 1778488037 }, credits: null, plan_type: text },
    },
  };
};

const message = (id: string, text: string): RolloutItem => ({
  type: 'response_item',
  payload: { type: 'message', id, role: 'assistant', content: [{ type: 'output_text', text }], status: 'completed' },
});

const toolOutput = (id: string, text: string): RolloutItem =>
  ({ type: 'response_item', payload: { type: 'function_call_output', call_id: id, output: text } });

const bytesOf = (item: RolloutItem): number =>
  Buffer.byteLength(JSON.stringify({ timestamp: '2026-05-11T08:27:17.490Z', ordinal: 1000, ...item })) + 1;

/** `count` different items, every one of exactly that size. The escapes and foreign characters are those of real lines. */
export function fixedItems(size: FixedSize, count: number, seed: number): RolloutItem[] {
  const prng = new Prng(seed);
  const texts = new TextSource();
  return Array.from({ length: count }, () => {
    const inner = prng.below(2 ** 32);
    const build = (text: string): RolloutItem => {
      const id = `call_${inner.toString(16).padStart(8, '0')}`;
      if (size === '116 B') return delta(text);
      if (size === '520 B') return tokenCount(new Prng(inner), text);
      return size === '1.1 kB' ? message(id, text) : toolOutput(id, text);
    };
    const missing = FIXED_BYTES[size] - bytesOf(build(''));
    const foreign = size !== '520 B' && prng.next() < FOREIGN_SHARE;
    return build(texts.text(size === '520 B' ? 'opaque' : 'prose', missing, foreign, prng));
  });
}
