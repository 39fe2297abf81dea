import { Best } from '../../src/reader/lists/best.js';
import { createdKey, spanOf } from '../../src/reader/lists/order.js';
import { Place, ROOTS } from '../../src/reader/lists/place.js';
import type { SelectedRollouts, SelectRollouts } from '../../src/pool/tasks.js';
import type { Catalogue } from './catalogue.js';
import type { Row } from './rows.js';

type Wanted = Omit<SelectRollouts, 'directory' | 'changed'>;

/** The first `count` that are asked for, in order, and whether there are others behind them. */
export function select(catalogue: Catalogue, wanted: Wanted): Pick<SelectedRollouts, 'rollouts' | 'isMore'> {
  const best = new Best<Place>(wanted);
  for (const { path, rows } of catalogue.folders) {
    if (path.startsWith(ROOTS.archived) !== wanted.isArchived) continue;
    const span = spanOf(path);
    for (const row of rows) {
      if (!isWanted(row, wanted)) continue;
      const key = wanted.sort === 'updated' ? row.modifiedMs : createdKey(row.name, span);
      if (best.mayTake(key)) best.take(new Place(path, row.name, key));
    }
  }
  for (const [path, problem] of catalogue.problems) {
    const { from, to } = spanOf(path);
    if (path.startsWith(ROOTS.archived) === wanted.isArchived) best.take(new Place(path, '', wanted.direction === 'desc' ? to : from, problem));
  }
  const { first: rollouts, isMore } = best.taken;
  return { rollouts, isMore };
}

/** What cannot be summarised is asked for by everybody. */
function isWanted(row: Row, { parentId, cwd }: Wanted): boolean {
  return row.isDamaged || ((parentId === undefined || row.parentId === parentId) && (cwd === undefined || row.cwd === cwd));
}
