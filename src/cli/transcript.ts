/** A record as a person reads it: a heading, and what was said. */
import type { RolloutRecord } from '../types.js';
import type { Terminal } from './terminal.js';
import { fit, inline, printable, timeOf } from './text.js';

/** Members of a payload that hold what was said, or done; the first that does counts. Codex's. */
const SAID_IN = ['message', 'content', 'text', 'arguments', 'input', 'output', 'summary', 'last_agent_message', 'item'];
/** Reasoning has a list of texts there; elsewhere it is a setting. */
const LIST_ONLY = 'summary';
/** What no such member has is shown as JSON, cut to this, or to the terminal. */
const JSON_COLUMNS_MAX = 200;
const INDENT = '    ';

export function* transcriptOf(record: RolloutRecord, terminal: Pick<Terminal, 'style' | 'columns'>): Generator<string, void, undefined> {
  const { timestamp, ordinal, type, payload } = record;
  const { type: kind, role, name } = (isObject(payload) ? payload : {});
  const words = [type, kind, role ?? name].filter((word) => typeof word === 'string').map(inline);
  yield `${terminal.style('dim', `${ordinal}  ${inline(timeOf(timestamp))}`)}  ${terminal.style('bold', words.join(' '))}`;
  const said = saidIn(payload);
  if (said !== undefined) for (const line of said.replaceAll('\r\n', '\n').trimEnd().split('\n')) yield `${INDENT}${printable(line)}`;
  else if (payload !== undefined) yield `${INDENT}${terminal.style('dim', fit(inline(JSON.stringify(payload)), Math.min(JSON_COLUMNS_MAX, (terminal.columns ?? Infinity) - INDENT.length)))}`;
}

/** Undefined where nothing is said. */
function saidIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (Array.isArray(value)) {
    const texts = value.map((part: unknown) => (isObject(part) ? saidIn(part['text']) : undefined)).filter((text) => text !== undefined);
    return texts.length === 0 ? undefined : texts.join('\n');
  }
  if (!isObject(value)) return undefined;
  for (const member of SAID_IN) {
    const text = member === LIST_ONLY && !Array.isArray(value[member]) ? undefined : saidIn(value[member]);
    if (text !== undefined) return text;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
