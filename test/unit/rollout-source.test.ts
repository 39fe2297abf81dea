import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRollout, RolloutSource } from '../../src/reader/rollout-source.js';
import { temporaryFolder } from '../support/rollouts.js';

test('the chunks of a file are its bytes, in order', async () => {
  const path = join(temporaryFolder(), 'file');
  const bytes = Buffer.from(Uint32Array.from({ length: 250_000 }, (_, place) => place).buffer);
  writeFileSync(path, bytes);
  const source = await openRollout(path);
  const chunks: Buffer[] = [];
  for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) chunks.push(Buffer.from(chunk));
  await source.close();
  expect(chunks.length).toBeGreaterThan(3);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});

test('a read that fails is the rejection of next(), and of nothing else', async () => {
  const folder = await open(temporaryFolder()); // reading a folder is EISDIR
  const source = new RolloutSource(folder);
  await expect(source.next()).rejects.toMatchObject({ code: 'EISDIR' });
  await source.close();

  const unasked = new RolloutSource(await open(temporaryFolder()));
  await unasked.close(); // vitest fails the run on an unhandled rejection
});
