import { expect, test } from 'vitest';
import { LineSplitter } from '../../src/rollout/lines.js';
import { fileOffset } from '../../src/units.js';

function split(chunks: string[], lineBytesMax = 100, startOffset = 0): [string | undefined, number, number, boolean][] {
  const splitter = new LineSplitter(lineBytesMax, fileOffset(startOffset));
  const lines: [string | undefined, number, number, boolean][] = [];
  for (const chunk of chunks) {
    splitter.feed(Buffer.from(chunk));
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) {
      lines.push([line.content?.toString(), line.offset, line.bytes, line.isTerminated]);
    }
  }
  const line = splitter.last();
  if (line !== undefined) lines.push([line.content?.toString(), line.offset, line.bytes, line.isTerminated]);
  return lines;
}

test('lines have their offsets and their lengths with the line end, wherever chunks end', () => {
  const expected = [['ab', 0, 3, true], ['', 3, 1, true], ['c', 4, 3, true], ['de', 7, 2, false]];
  expect(split(['ab\n\nc\r\nde'])).toEqual(expected);
  expect(split([...'ab\n\nc\r\nde'])).toEqual(expected);
  expect(split(['', 'a', '', 'b\n\nc\r', '\nd', 'e'])).toEqual(expected);
});

test('offsets go on from where the reading began', () => {
  expect(split(['a\n', 'b\n'], 100, 50)).toEqual([['a', 50, 2, true], ['b', 52, 2, true]]);
});

test('a line as long as the bound is whole, one byte more is too long, in one chunk or in many', () => {
  for (const parts of [['abcd\nabcde\nx\n'], [...'abcd\nabcde\nx\n']]) {
    expect(split(parts, 4)).toEqual([['abcd', 0, 5, true], [undefined, 5, 6, true], ['x', 11, 2, true]]);
    expect(split(parts, 5)).toEqual([['abcd', 0, 5, true], ['abcde', 5, 6, true], ['x', 11, 2, true]]);
  }
  expect(split([...'abcde'], 4)).toEqual([[undefined, 0, 5, false]]);
});

test('a carried line survives its chunk being overwritten', () => {
  const splitter = new LineSplitter(100);
  const chunk = Buffer.from('first');
  splitter.feed(chunk);
  expect(splitter.next()).toBeUndefined();
  splitter.feed(Buffer.from(chunk.fill('\n')).fill('x', 0, 2));
  expect(splitter.next()?.content?.toString()).toBe('firstxx');
});
