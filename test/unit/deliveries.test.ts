import { expect, test } from 'vitest';
import { Deliveries } from '../../src/lifecycle/deliveries.js';

const REACHED = { isReached: () => true };

function deliveries(onThrow = (): void => undefined): Deliveries {
  return new Deliveries(() => Promise.resolve(), onThrow);
}

test('what a listener publishes while it is called comes behind what it was called with, for every listener', async () => {
  const made = deliveries();
  const heard: string[] = [];
  let inner: Promise<void> | undefined;
  made.subscribe((_item, ordinal) => {
    heard.push(`first ${ordinal}`);
    if (ordinal === 0) inner = made.add({ item: { type: 'x' }, ordinal: 1, ...REACHED });
  });
  made.subscribe((_item, ordinal) => { heard.push(`second ${ordinal}`); });
  await made.add({ item: { type: 'x' }, ordinal: 0, ...REACHED });
  await inner;
  expect(heard).toEqual(['first 0', 'second 0', 'first 1', 'second 1']);
});

test('a logger that throws when it is told of a listener does not end the deliveries', async () => {
  const made = deliveries(() => { throw new Error('the logger'); });
  const heard: number[] = [];
  made.subscribe((_item, ordinal) => { heard.push(ordinal); });
  const end = made.subscribe(() => { throw new Error('the listener'); });
  await expect(made.add({ item: { type: 'x' }, ordinal: 0, ...REACHED })).rejects.toThrow('the logger');
  end();
  await made.add({ item: { type: 'x' }, ordinal: 1, ...REACHED });
  expect(heard).toEqual([0, 1]);
});
