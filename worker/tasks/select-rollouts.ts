import { join } from 'node:path';
import type { SelectedRollouts, SelectRollouts } from '../../src/pool/tasks.js';
import { look } from '../../src/reader/lists/disk.js';
import { Catalogue } from '../catalogue/catalogue.js';
import { select } from '../catalogue/select.js';
import { CATALOGUE, loadCatalogue, storeCatalogue } from '../catalogue/store.js';
import { nodeFsOps, systemRng } from '../fs-ops.js';
import { answering } from './answering.js';

/** Changes that are not stored: finding them out again costs little. */
const CHANGES_KEPT = 64;
/** Of all rows. */
const CHANGES_PART = 0.01;

/** Kept from task to task, as long as this thread lives. */
let kept: { readonly directory: string; readonly catalogue: Catalogue } | undefined;

export default answering<'select-rollouts'>('LASTWORD_ROLLOUT_CORRUPT', ({ directory, changed, ...wanted }: SelectRollouts): SelectedRollouts => {
  let isStored = look(join(directory, CATALOGUE)) !== undefined;
  if (kept?.directory !== directory) {
    const stored = loadCatalogue(directory);
    kept = { directory, catalogue: new Catalogue(directory) };
    kept.catalogue.take(stored?.folders ?? []);
    isStored = stored?.isWhole === true;
  }
  const { catalogue } = kept;
  catalogue.refresh(changed);
  const unsaved = isStored && catalogue.changes <= Math.max(CHANGES_KEPT, catalogue.size * CHANGES_PART) ? undefined : store(directory, catalogue);
  return { ...select(catalogue, wanted), unsaved };
});

/** Why it could not be done: a list is right without. */
function store(directory: string, catalogue: Catalogue): string | undefined {
  try {
    storeCatalogue({ fs: nodeFsOps, rng: systemRng }, directory, catalogue.folders);
    catalogue.changes = 0;
    return undefined;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    return code;
  }
}
