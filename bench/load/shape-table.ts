import type { TextKind } from './text.js';

/** Share of lines, and line sizes in bytes at the quantiles `QUANTILES`, as measured over 84 real rollouts. */
export interface Shape {
  readonly name: ShapeName;
  readonly percent: number;
  readonly bytes: readonly number[];
  readonly text: TextKind;
}

export type ShapeName =
  | 'token_count' | 'reasoning' | 'function_call' | 'function_call_output' | 'custom_tool_call'
  | 'custom_tool_call_output' | 'message' | 'agent_message' | 'agent_reasoning' | 'patch_apply_end' | 'turn_context'
  | 'user_message' | 'task_started' | 'session_meta' | 'task_complete' | 'thread_settings_applied' | 'world_state'
  | 'mcp_tool_call_end' | 'exec_command_end' | 'compacted';

export const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1] as const;

const shape = (name: ShapeName, percent: number, text: TextKind, bytes: readonly number[]): Shape =>
  ({ name, percent, text, bytes });

/**
 * `reasoning` was redacted in the files measured: its sizes here are the real ones. Of the `session_meta` lines
 * (0.56 %) about half are a file's first line, which `rolloutItems` always writes; the rest is drawn.
 */
export const SHAPES: readonly Shape[] = [
  shape('token_count', 17.34, 'opaque', [506, 709, 715, 768, 776, 777, 779, 781, 782]),
  shape('reasoning', 15.02, 'opaque', [1130, 1320, 1640, 2060, 2420, 2600, 2810, 2890, 2910]),
  shape('function_call', 12.24, 'nested', [391, 467, 491, 532, 611, 686, 1164, 1787, 2565]),
  shape('function_call_output', 12.24, 'prose', [331, 446, 1132, 4681, 10926, 20835, 41567, 70772, 126372]),
  shape('custom_tool_call', 9.42, 'prose', [473, 491, 646, 837, 1507, 2388, 5921, 13608, 43131]),
  shape('custom_tool_call_output', 9.42, 'nested', [324, 396, 709, 3983, 13228, 24173, 41839, 45456, 46457]),
  shape('message', 8.82, 'prose', [311, 471, 537, 638, 1334, 3124, 34170, 91861, 96485]),
  shape('agent_message', 7.29, 'prose', [248, 299, 354, 432, 579, 1042, 1790, 3329, 5124]),
  shape('agent_reasoning', 1.96, 'prose', [143, 148, 153, 159, 165, 168, 178, 626, 626]),
  shape('patch_apply_end', 1.49, 'prose', [638, 902, 1429, 2496, 4401, 5984, 10100, 53189, 53189]),
  shape('turn_context', 0.77, 'prose', [1594, 1610, 1776, 1776, 1798, 2320, 3521, 9997, 9997]),
  shape('user_message', 0.74, 'prose', [218, 235, 257, 318, 584, 1296, 4954, 65519, 65519]),
  shape('task_started', 0.7, 'opaque', [233, 233, 233, 233, 233, 233, 233, 233, 233]),
  shape('session_meta', 0.25, 'prose', [18621, 37613, 38490, 41571, 41637, 41641, 41724, 42056, 42056]),
  shape('task_complete', 0.54, 'prose', [453, 944, 1180, 1484, 2035, 2413, 3722, 5240, 5240]),
  shape('thread_settings_applied', 0.29, 'prose', [1532, 1550, 1550, 1550, 1550, 1550, 1550, 1550, 1550]),
  shape('world_state', 0.24, 'prose', [160, 461, 17413, 17413, 66564, 110598, 110996, 110996, 110996]),
  shape('mcp_tool_call_end', 0.14, 'prose', [649, 1689, 3963, 6421, 67884, 76995, 79866, 79866, 79866]),
  shape('exec_command_end', 0.1, 'prose', [715, 1353, 2482, 9277, 11170, 11241, 11803, 11803, 11803]),
  shape('compacted', 0.06, 'prose', [35317, 35839, 38220, 39394, 41429, 42104, 49187, 49187, 49187]),
];

export const FIRST_LINE: Shape = shape('session_meta', 0, 'prose',
  [20000, 37613, 38490, 39500, 39800, 39900, 39950, 39990, 40000]);

/** Share of lines that are not pure ASCII. */
export const FOREIGN_SHARE = 0.186;

/** Lines per burst (gaps within 100 ms): p50 2, p90 3, p99 9, at most 15. */
export const BURSTS: readonly { readonly upTo: number; readonly lines: readonly [number, number] }[] = [
  { upTo: 0.3, lines: [1, 1] },
  { upTo: 0.7, lines: [2, 2] },
  { upTo: 0.9, lines: [3, 3] },
  { upTo: 0.99, lines: [4, 9] },
  { upTo: 1, lines: [10, 15] },
];

/** The size at `share` (0 to 1) of a shape: straight lines between the known quantiles, on a logarithmic scale. */
export function bytesAt({ bytes }: Shape, share: number): number {
  let belowShare: number = 0;
  let below = (bytes[0] ?? 0) * 0.95;
  for (const [index, quantile] of QUANTILES.entries()) {
    const above = bytes[index] ?? below;
    if (share <= quantile) {
      const part = (share - belowShare) / (quantile - belowShare);
      return Math.round(below * (above / below) ** part);
    }
    belowShare = quantile;
    below = above;
  }
  return Math.round(below);
}
