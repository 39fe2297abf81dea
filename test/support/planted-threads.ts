/** A directory whose lists and transcripts are known to the letter. */
import { plant } from './planted.js';

/** Ids that say when: so many minutes after the first. */
export function idOfMinute(minute: number, tail = '000000000000'): string {
  const time = (Date.UTC(2026, 4, 6, 7, 8, 9) + minute * 60_000).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}`;
}

export const IDS = { root: idOfMinute(0), child: idOfMinute(1), grandchild: idOfMinute(2), wide: idOfMinute(3), hostile: idOfMinute(4), archived: idOfMinute(5) };

const user = (message: string): { type: string; payload: object } => ({ type: 'event_msg', payload: { type: 'user_message', message } });

/** A tree of three, one with a wide title, one whose texts would act on a terminal, and an archived one. */
export function plantKnown(directory: string): void {
  plant(directory, {
    id: IDS.root, meta: { cwd: '/work/one' },
    items: [
      user('Count to three, and say what you did.'),
      { type: 'response_item', payload: { type: 'function_call', name: 'exec_command', arguments: '{"cmd":"seq 1 3"}', call_id: 'call-1' } },
      { type: 'response_item', payload: { type: 'function_call_output', call_id: 'call-1', output: '1\r\n2\r\n3\r\n' } },
      { type: 'response_item', payload: { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'One,\ntwo,\n\tthree.' }] } },
      { type: 'event_msg', payload: { type: 'token_count', info: { total: 100, note: 'x'.repeat(300) } } },
      { type: 'note' },
    ],
  });
  plant(directory, { id: IDS.child, meta: { parent_thread_id: IDS.root, cwd: '/work/two' }, items: [user('a child of it')] });
  plant(directory, { id: IDS.grandchild, meta: { parent_thread_id: IDS.child, cwd: '/work/two' }, items: [user('a grandchild of it')] });
  plant(directory, { id: IDS.wide, meta: { title: '日本語の題名はとても幅が広いので途中で切られることになる、八十列では特にそうである、百二十列でも' }, items: [user('hidden by the title')] });
  plant(directory, { id: IDS.hostile, items: [user('\u001b[31mred\u001b]0;title\u0007\n\u009b2J and \u202ereversed')] });
  plant(directory, { id: IDS.archived, isArchived: true, items: [user('put away')] });
}
