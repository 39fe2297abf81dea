/** What is held of written bytes: a copy of each, in order, within its bound, given back when it is no longer needed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeldPool, HeldRecords } from '../../worker/held.js';

const UNSYNCED_BYTES = 64 * 1024;

const bytesOf = (records: HeldRecords): Buffer => Buffer.concat([...records.read()]);

/** A file of the model: what was written, and where the last sync and the one under way began. */
class ModelFile {
  readonly records: HeldRecords;
  bytes = Buffer.alloc(0);
  synced = 0;
  begun: number | undefined;
  count = 0;

  constructor(pool: HeldPool) {
    this.records = new HeldRecords(pool, 0);
  }
}

describe('held bytes', () => {
  test('are those written since the last sync, whatever is written, synced, cut back and failed in between, in several files', () => {
    const command = fc.record({ file: fc.nat(2), act: fc.constantFrom('write', 'write', 'write', 'begin', 'end', 'undo', 'cut'), bytes: fc.integer({ min: 1, max: 900 }) });
    let unheld = 0;
    fc.assert(fc.property(fc.array(command, { minLength: 60, maxLength: 120 }), (commands) => {
      const pool = new HeldPool(UNSYNCED_BYTES / 16);
      const files = [0, 1, 2].map(() => new ModelFile(pool));
      let filling = 0;
      for (const { file: index, act, bytes } of commands) {
        const file = files[index] ?? new ModelFile(pool);
        const { records } = file;
        if (act === 'write') {
          const written = Buffer.alloc(bytes, filling += 1);
          const source = Buffer.concat([Buffer.from('before'), written]);
          records.add(source, 6, bytes, file.bytes.length, file.count);
          source.fill(0);
          file.bytes = Buffer.concat([file.bytes, written]);
          file.count += 1;
        } else if (act === 'begin' && file.begun === undefined) {
          file.begun = file.bytes.length;
          records.beginSync(file.bytes.length);
        } else if (act === 'end' && file.begun !== undefined) {
          file.synced = file.begun;
          file.begun = undefined;
          records.endSync();
        } else if (act === 'undo' && file.begun !== undefined) {
          file.begun = undefined;
          records.undoSync();
        } else if (act === 'cut') {
          // No sync begins within a batch, so what is cut off was written since the last one did.
          const least = Math.max(file.synced, file.begun ?? 0);
          file.bytes = file.bytes.subarray(0, Math.max(least, file.bytes.length - bytes));
          records.cutTo(file.bytes.length);
        }
        const held = bytesOf(records);
        expect(records.from).toBe(file.synced);
        expect(held.equals(file.bytes.subarray(file.synced, file.synced + held.length))).toBe(true);
        expect(records.bytes).toBe(held.length);
        // Nothing is missing unless it says so.
        if (records.unheldFrom === undefined) expect(held.length).toBe(file.bytes.length - file.synced);
        else unheld += 1;
        expect(files.reduce((sum, { records: { bytes: one } }) => sum + one, 0)).toBeLessThanOrEqual(UNSYNCED_BYTES / 8);
        expect(pool.takenBytes).toBeLessThanOrEqual(UNSYNCED_BYTES / 8);
      }
      for (const { records, bytes } of files) records.clear(bytes.length);
      // But for the segment that is being filled.
      expect(pool.takenBytes).toBeLessThanOrEqual(UNSYNCED_BYTES / 256);
    }), { numRuns: 200 });
    expect(unheld, 'the bound was reached').toBeGreaterThan(0);
  });

  test('end at a whole record where there is no room, and begin again with the next sync', () => {
    const pool = new HeldPool(UNSYNCED_BYTES);
    const records = new HeldRecords(pool, 0);
    const line = Buffer.alloc(50_000, 1);
    records.add(line, 0, 50_000, 0, 0);
    records.add(line, 0, 50_000, 50_000, 1);
    // A line that comes in two parts, of which the second finds no room: neither is held.
    records.add(line, 0, 20_000, 100_000, 2);
    records.add(line, 0, 50_000, 100_000, 2);
    expect([records.bytes, records.unheldFrom]).toEqual([100_000, 2]);
    records.add(line, 0, 10, 170_000, 3);
    expect([records.bytes, records.unheldFrom]).toEqual([100_000, 2]);
    records.beginSync(170_010);
    records.add(line, 0, 100, 170_010, 4);
    expect(records.unheldFrom).toBe(2);
    records.endSync();
    expect([records.from, records.bytes, records.unheldFrom]).toEqual([170_010, 100, undefined]);
  });

  test('are none where there is no pool, and every item counts as not held', () => {
    const records = new HeldRecords(undefined, 10);
    expect(records.unheldFrom).toBe(undefined);
    records.add(Buffer.from('x'), 0, 1, 10, 7);
    expect([records.bytes, records.unheldFrom, bytesOf(records).length]).toEqual([0, 7, 0]);
  });

  test('give memory back when it has not been needed for a while', () => {
    const pool = new HeldPool(16 << 20);
    const records = new HeldRecords(pool, 0);
    const block = Buffer.alloc(1 << 20, 7);
    for (let index = 0; index < 20; index += 1) records.add(block, 0, block.length, index << 20, index);
    expect(pool.takenBytes).toBe(20 << 20);
    records.clear(20 << 20);
    expect([pool.takenBytes, pool.spareBytes]).toEqual([0, 20 << 20]);
    pool.trim();
    expect(pool.spareBytes).toBe(20 << 20);
    for (let index = 0; index < 5; index += 1) records.add(block, 0, block.length, index << 20, index);
    records.clear(0);
    pool.trim();
    expect(pool.spareBytes).toBe(5 << 20);
  });
});
