import { appendFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRollout, RolloutSource } from '../../src/reader/rollout-source.js';
import { temporaryFolder } from '../support/rollouts.js';

test('the chunks of a file are its bytes, in order', async () => {
  const path = join(temporaryFolder(), 'file');
  const bytes = Buffer.from(Uint32Array.from({ length: 250_000 }, (_, place) => place).buffer);
  writeFileSync(path, bytes);
  const file = await openRollout(path);
  const source = new RolloutSource(file);
  const chunks: Buffer[] = [];
  for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) chunks.push(Buffer.from(chunk));
  await file.close();
  expect(chunks.length).toBeGreaterThan(3);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});

test('a read that fails is the rejection of next(), and of nothing else', async () => {
  const folder = await open(temporaryFolder()); // reading a folder is EISDIR
  const source = new RolloutSource(folder);
  await expect(source.next()).rejects.toMatchObject({ code: 'EISDIR' });
  await folder.close();

  const unread = await open(temporaryFolder());
  new RolloutSource(unread);
  await unread.close(); // vitest fails the run on an unhandled rejection
});

test('at the end it may be asked again, and from any place to any place', async () => {
  const path = join(temporaryFolder(), 'file');
  writeFileSync(path, '0123');
  const file = await openRollout(path);
  const source = new RolloutSource(file, 1, 3);
  const next = async (): Promise<string | undefined> => (await source.next())?.toString();
  expect([await next(), await next()]).toEqual(['12', undefined]);
  await source.seek(2);
  expect([await next(), await next()]).toEqual(['23', undefined]);
  appendFileSync(path, '45');
  expect([await next(), await next()]).toEqual(['45', undefined]);
  await file.close();
});
