import { join, resolve, sep } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { archivedPath, dateFoldersOf, otherPlaceOf, parseRolloutPath, rolloutName, rolloutPath } from '../../src/rollout/rollout-path.js';
import { newThreadId } from '../../src/rollout/thread-id.js';
import { SEED } from '../support/random.js';

const ID = '01a1fc00-3acb-72e1-9fe5-382b9a8a8e0b';
const REFUSED = expect.objectContaining({ code: 'LASTWORD_INVALID_OPTION' });

describe('the path of a rollout', () => {
  test('is frozen', () => {
    expect(rolloutPath('/root', ID)).toBe(join('/root', 'sessions', '2026', '11', '21', `rollout-2026-11-21T02-47-15-${ID}.jsonl`));
    expect(archivedPath('/root', ID)).toBe(join('/root', 'archived_sessions', `rollout-2026-11-21T02-47-15-${ID}.jsonl`));
  });

  test('is in UTC whatever the time zone of the process', () => {
    const zone = process.env['TZ'];
    try {
      for (const other of ['Pacific/Kiritimati', 'America/Los_Angeles']) {
        process.env['TZ'] = other;
        expect(rolloutName(ID)).toBe(`rollout-2026-11-21T02-47-15-${ID}.jsonl`);
      }
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });

  test('has the folders of its date above it, and no other path has them', () => {
    const [day, month, year] = [join('/root', 'sessions', '2026', '11', '21'), join('/root', 'sessions', '2026', '11'), join('/root', 'sessions', '2026')];
    for (const path of [rolloutPath('/root', ID), join(day, 'x'), day]) expect(dateFoldersOf(path)).toEqual([day, month, year]);
    for (const path of [archivedPath('/root', ID), month, '/sessions/2026/locks/x', '/root/locks/x.lock', '/root', '']) expect(dateFoldersOf(path)).toEqual([]);
    // A directory that itself lies in such a folder.
    expect(dateFoldersOf(rolloutPath(day, ID))).toEqual([day, month, year].map((folder) => folder.replace('/root', day)));
  });

  test('comes from the id alone and gives the id back', () => {
    const years = { min: 0, max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) };
    fc.assert(fc.property(fc.integer(years), (now) => {
      const id = newThreadId(now);
      const path = rolloutPath('/root', id);
      expect(parseRolloutPath(path)).toEqual({ id, time: path.match(/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d/)?.[0], isCompressed: false });
    }), { seed: SEED });
  });

  test('never leaves the root, whatever is given as an id', () => {
    const root = resolve('/root');
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('..', '../../x', '/etc/passwd', `../${ID}`, `${ID}/../..`, `${ID}\0`, `${ID}\n`, ID.toUpperCase()),
      fc.mixedCase(fc.constant(ID)),
    );
    let refused = 0;
    fc.assert(fc.property(hostile, (id) => {
      try {
        expect(resolve(rolloutPath(root, id)).startsWith(root + sep)).toBe(true);
      } catch (error) {
        expect(error).toEqual(REFUSED);
        refused += 1;
      }
    }), { seed: SEED });
    expect(refused).toBeGreaterThan(10);
  });

  test('is refused for ids without a time, and with a time that no folder name has', () => {
    expect(() => rolloutPath('/root', '6fa459ea-ee8a-4ca4-894e-db77e160355e')).toThrow(REFUSED);
    expect(() => rolloutPath('/root', 'ffffffff-ffff-7000-8000-000000000000')).toThrow(REFUSED);
  });
});

test('the other place of a rollout is the archive, or the folder of the day in its name; of other paths there is none', () => {
  const [active, archived] = [rolloutPath('/root', ID), archivedPath('/root', ID)];
  expect([otherPlaceOf(active), otherPlaceOf(archived)]).toEqual([archived, active]);
  const local = 'rollout-2025-01-02T23-04-05-6fa459ea-ee8a-4ca4-894e-db77e160355e.jsonl';
  expect(otherPlaceOf(`/root/archived_sessions/${local}`)).toBe(`/root/sessions/2025/01/02/${local}`);
  for (const path of [`/elsewhere/${local}`, `/root/sessions/2025/01/03/${local}`, '/root/archived_sessions/x.jsonl', '']) expect(otherPlaceOf(path)).toBeUndefined();
});

describe('reading a name back', () => {
  test('takes files of others, with local time, of any UUID, compressed or not', () => {
    const name = 'rollout-2025-01-02T03-04-05-6fa459ea-ee8a-4ca4-894e-db77e160355e.jsonl';
    const id = '6fa459ea-ee8a-4ca4-894e-db77e160355e';
    expect(parseRolloutPath(`/a/b/${name}`)).toEqual({ id, time: '2025-01-02T03-04-05', isCompressed: false });
    expect(parseRolloutPath(`${name}.zst`)).toEqual({ id, time: '2025-01-02T03-04-05', isCompressed: true });
  });

  test('takes an id in either case, as the same one', () => {
    expect(parseRolloutPath(`rollout-2026-11-21T02-47-15-${ID.toUpperCase()}.jsonl`)?.id).toBe(ID);
  });

  test.each([
    `.rollout-2026-11-21T02-47-15-${ID}.jsonl.1f2e.tmp`, `rollout-2026-11-21T02-47-15-${ID}.jsonl.torn`, `${ID}.jsonl`,
    `rollout-2026-11-21-${ID}.jsonl`, '', `x-rollout-2026-11-21T02-47-15-${ID}.jsonl`,
  ])('does not take %j', (name) => {
    expect(parseRolloutPath(name)).toBeUndefined();
  });
});
