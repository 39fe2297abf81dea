import { LEVELS, LEVELS_MAX, at, end, fault, scratch, setAt } from './state';
import { ARRAY, BIGINT, BYTES, ERROR, MAP, OWN_RECORD, RECORD, REGEXP, SET, STRING, next, size } from './tokens';

/** Passes over one value, whatever it holds. Returns how many levels it has: 0 for one that holds no others. */
export function measure(): u32 {
  const levels = scratch + LEVELS;
  let level: u32 = 0;
  let deepest: u32 = 0;
  store<u32>(levels, 1);
  while (fault == 0) {
    while (load<u32>(levels + (level << 2)) == 0) {
      if (level == 0) return deepest;
      level -= 1;
    }
    const kind = next();
    if (fault != 0) break;
    if (kind == SET || kind == ERROR || kind == REGEXP) continue;
    const left = levels + (level << 2);
    store<u32>(left, load<u32>(left) - 1);
    if (kind == STRING || kind == BYTES || kind == BIGINT) {
      setAt(at + size);
    } else if (kind == ARRAY || kind == MAP || kind == RECORD || kind == OWN_RECORD) {
      level += 1;
      if (level > deepest) deepest = level;
      if (level == LEVELS_MAX) {
        setAt(end);
        return deepest;
      }
      store<u32>(levels + (level << 2), kind == MAP ? size * 2 : size);
    }
  }
  return deepest;
}
