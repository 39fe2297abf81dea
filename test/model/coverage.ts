/** How often each command met each state. */
import type { Opening } from './model.js';
import type { Run } from './run.js';
import type { ThreadId } from 'lastword';

export const STATES = {
  none: 'no thread is meant',
  open: 'the handle, or the thread, is open',
  closing: 'the close waits for held work or for children: items are taken',
  sealed: 'the close is under way, and nothing keeps the seal away',
  closed: 'closed, and the rollout is stored',
  reopened: 'a stale handle of a thread that has been opened again',
  opening: 'not open, and about to be',
  moving: 'not open, and about to be archived, unarchived or deleted',
  archived: 'the rollout is archived',
  absent: 'the rollout is deleted',
} as const;
export type State = keyof typeof STATES;

/** Nothing else is under way when the command comes, or something is. */
const WAYS = ['alone', 'overlapping'] as const;
type Way = (typeof WAYS)[number];
const isWay = (state: State | Way): state is Way => (WAYS as readonly string[]).includes(state);

/** A thread that is meant by its handle or by its id. */
export function stateOf(run: Run, id: ThreadId, opening?: Opening): State {
  const thread = run.threads.get(id);
  const live = opening === undefined || opening.receipt === undefined ? opening ?? thread?.live : undefined;
  if (live?.closing !== undefined) return live.seal === 'no' ? 'closing' : 'sealed';
  if (live !== undefined) return 'open';
  if (thread?.live !== undefined) return 'reopened';
  const pending = [...run.pending].filter(({ target }) => target.id === id);
  if (pending.some(({ isOpening }) => isOpening)) return 'opening';
  if (pending.some(({ isPlacing }) => isPlacing) || (thread?.places.size ?? 0) > 1) return 'moving';
  const [place = 'absent'] = thread?.places ?? [];
  return place === 'stored' ? 'closed' : place;
}

export class Coverage {
  readonly #met = new Map<string, number>();
  readonly #commands: readonly { readonly name: string; readonly isImpossible: (state: State) => string | undefined }[];

  constructor(commands: readonly { readonly name: string; readonly isImpossible: (state: State) => string | undefined }[]) {
    this.#commands = commands;
  }

  count(command: string, state: State | Way): void {
    const key = `${command} ${state}`;
    this.#met.set(key, (this.#met.get(key) ?? 0) + 1);
  }

  /** Cells that are possible and were never met, and cells that were met though they are not possible. */
  get complaints(): string[] {
    return this.#commands.flatMap(({ name, isImpossible }) => [...Object.keys(STATES) as State[], ...WAYS].flatMap((state) => {
      const count = this.#met.get(`${name} ${state}`) ?? 0;
      const reason = isWay(state) ? undefined : isImpossible(state);
      if (reason === undefined) return count === 0 ? [`${name} never met ${state}`] : [];
      return count === 0 ? [] : [`${name} met ${state}, which is impossible: ${reason}`];
    }));
  }

  toString(): string {
    const columns = [...Object.keys(STATES), ...WAYS];
    const rows = this.#commands.map(({ name, isImpossible }) => [name.padEnd(18), ...columns.map((state) => {
      const count = this.#met.get(`${name} ${state}`) ?? 0;
      return String(count === 0 && isImpossible(state as State) !== undefined ? '-' : count).padStart(Math.max(8, state.length + 1));
    })].join(''));
    const reasons = new Map<string, string[]>();
    for (const { name, isImpossible } of this.#commands) {
      for (const state of Object.keys(STATES) as State[]) {
        const reason = isImpossible(state);
        if (reason !== undefined) reasons.set(`${state}: ${reason}`, [...reasons.get(`${state}: ${reason}`) ?? [], name]);
      }
    }
    return [
      ['command'.padEnd(18), ...columns.map((state) => state.padStart(Math.max(8, state.length + 1)))].join(''),
      ...rows,
      'impossible (-):',
      ...[...reasons].map(([reason, names]) => `  ${reason} (${names.join(', ')})`),
    ].join('\n');
  }
}
