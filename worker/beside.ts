/** More files of one kind than this beside one rollout are no accident. */
const KEPT_MAX = 10_000;

/** Makes `<rollout>.<kind>-<n>` with the first n that is free. Throws what `make` throws for a name that is. */
export function makeBeside<T>(path: string, kind: 'torn' | 'unsynced' | 'foreign', make: (name: string) => T): { made: T; name: string } {
  for (let number = 1; ; number += 1) {
    const name = `${path}.${kind}-${number}`;
    try {
      return { made: make(name), name };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || number === KEPT_MAX) throw error;
    }
  }
}
