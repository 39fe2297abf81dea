/** What salvage files hold. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface SalvagedRecord { readonly timestamp: string; readonly ordinal: number; readonly type: string; readonly crc: string; readonly payload?: unknown }

/** Their entries, in order. */
export function salvagedIn(path: string): { threadId: string; line: SalvagedRecord }[] {
  return readFileSync(path, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as { threadId: string; line: SalvagedRecord });
}

/** The ordinals in it. */
export function ordinalsIn(path: string): number[] {
  return salvagedIn(path).map(({ line }) => line.ordinal);
}

/** Salvage files in a folder. */
export function salvageFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('salvage-')).map((name) => join(folder, name));
}
