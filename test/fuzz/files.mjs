/** Files as other programs, power cuts and people leave them: what is whole in each of them is known. */
import { crc32 } from 'node:zlib';

const TIME = '2026-11-21T02:35:23.058Z';

function sealed(record) {
  const open = JSON.stringify(record).slice(0, -1);
  return `${open},"crc":"${crc32(open).toString(16).padStart(8, '0')}"}`;
}

/** State of a file that is being made: the next ordinal and the next mark, by which records are known. */
class Making {
  ordinal = 0;
  mark = 0;
  parts = [];
  /** Marks of the whole records, in order. */
  whole = [];

  constructor(next) {
    this.next = next;
  }

  text(bytes) {
    return 'x'.repeat(this.next(bytes));
  }

  record({ type = 'event_msg', ordinal = this.ordinal, isNumbered = true, extra = {}, isSealed = true, end = '\n', text = this.text(300) } = {}) {
    const mark = this.mark++;
    const record = { timestamp: TIME, ...isNumbered ? { ordinal } : {}, type, payload: { mark, text, ...extra } };
    this.ordinal = Math.max(this.ordinal, ordinal + 1);
    return { mark, line: `${isSealed ? sealed(record) : JSON.stringify(record)}${end}` };
  }

  whole_(options) {
    const { mark, line } = this.record(options);
    this.whole.push(mark);
    this.parts.push(Buffer.from(line));
  }

  raw(bytes) {
    this.parts.push(Buffer.from(bytes));
  }

  header(id) {
    this.whole_({ type: 'session_meta', extra: { id, cwd: '/', originator: 'fuzz', cli_version: '0' } });
  }
}

function bytesOf(next, count) {
  return Buffer.from(Array.from({ length: count }, () => next(256)));
}

/** What can stand in a file, by name. Each leaves the file at the start of a line, but those of ENDS. */
export const PIECES = {
  'a record': (making) => { making.whole_(); },
  'records': (making) => { for (let count = making.next(20); count > 0; count -= 1) making.whole_(); },
  'a record of Codex': (making) => { making.whole_({ isSealed: false }); },
  'a record without ordinal': (making) => { making.whole_({ isSealed: false, isNumbered: false }); },
  'an unknown type': (making) => { making.whole_({ type: 'from_the_future', extra: { __proto__: null, constructor: 1 } }); },
  'a member named __proto__': (making) => {
    const { mark, line } = making.record({ isSealed: false });
    making.whole.push(mark);
    making.raw(line.replace('"text":', '"__proto__":{"polluted":true},"text":'));
  },
  'a giant record': (making) => { making.whole_({ text: 'g'.repeat((1 << 20) + making.next(1 << 20)) }); },
  'a giant line': (making) => { making.raw(`${'{"timestamp":"'.repeat(3)}${'y'.repeat((1 << 20) + making.next(1 << 20))}\n`); },
  'binary': (making) => { making.raw(Buffer.concat([bytesOf(making.next, making.next(3000)), Buffer.from('\n')])); },
  'a line of NULs': (making) => { making.raw(Buffer.concat([Buffer.alloc(making.next(100_000)), Buffer.from('\n')])); },
  'NULs in front of a record': (making) => {
    making.raw(Buffer.alloc(1 + making.next(100_000)));
    making.whole_({ isSealed: making.next(2) === 0 });
  },
  'invalid UTF-8': (making) => {
    const { line } = making.record({ isSealed: false, text: 'caf\u00e9' });
    making.raw(Buffer.from(line, 'latin1'));
  },
  'deep nesting': (making) => {
    const { mark, line } = making.record({ isSealed: false, text: '@' });
    making.whole.push(mark);
    making.raw(line.replace('"@"', `${'['.repeat(100_000)}${']'.repeat(100_000)}`));
  },
  'deep nesting without end': (making) => { making.raw(`${'{"a":['.repeat(100_000)}\n`); },
  'a line that ends with CRLF': (making) => { making.whole_({ end: '\r\n' }); },
  'a mark of byte order': (making) => {
    // Its checksum says that it is whole; without one nobody knows.
    making.raw('\ufeff');
    making.whole_();
  },
  'raw U+2028': (making) => { making.whole_({ isSealed: false, text: 'a\u2028b\u2029c\u0085d' }); },
  'an ordinal again': (making) => { making.whole_({ ordinal: Math.max(0, making.ordinal - 1 - making.next(3)) }); },
  'missing ordinals': (making) => { making.whole_({ ordinal: making.ordinal + 1 + making.next(5) }); },
  'an ordinal that is none': (making) => {
    const { line } = making.record({ isSealed: false });
    making.raw(line.replace(/"ordinal":\d+/, `"ordinal":${['-1', '1.5', '"7"', '1e99', 'null'][making.next(5)]}`));
  },
  'another file': (making) => {
    making.ordinal = 0;
    making.header('01936c1e-7b2a-7000-8000-0000000000ff');
    for (let count = making.next(5); count > 0; count -= 1) making.whole_();
  },
  'blank lines': (making) => { making.raw('\n \t\r\n\n'); },
  'a torn record with a newline': (making) => { const { line } = making.record(); making.raw(`${line.slice(0, 1 + making.next(line.length - 3))}\n`); },
  'a torn record, and one glued to it': (making) => {
    const { line } = making.record();
    making.raw(line.slice(0, 1 + making.next(line.length - 20)));
    making.whole_();
  },
  'a record with a wrong checksum': (making) => { const { line } = making.record(); making.raw(line.replace('"mark":', '"mirk":')); },
  'JSON that is no record': (making) => { making.raw(['{}\n', '[]\n', '7\n', '{"type":"event_msg"}\n', '{"timestamp":1,"type":2}\n'][making.next(5)]); },
};

/** Those that take long are met less often. */
const RARE = new Set(['a giant record', 'a giant line', 'deep nesting', 'deep nesting without end']);
const RARITY = 12;

/** How a file can end. */
const ENDS = {
  'with a newline': () => undefined,
  'without one': (making) => { making.whole_({ end: '' }); },
  'in a record': (making) => { const { line } = making.record(); making.raw(line.slice(0, 1 + making.next(line.length - 3))); },
  'in NULs': (making) => { making.raw(Buffer.alloc(1 + making.next(5000))); },
};

/** A file: its bytes, the marks of its whole records in order, whether it begins with a header, and what it was made of. */
export function makeFile(next, id) {
  const making = new Making(next);
  const used = [];
  const add = (table) => {
    const isRare = next(RARITY) === 0;
    const names = Object.keys(table).filter((name) => isRare || !RARE.has(name));
    const name = names[next(names.length)];
    used.push(name);
    table[name](making);
  };
  const hasHeader = next(20) > 0;
  if (hasHeader) making.header(id);
  for (let count = next(8); count > 0; count -= 1) add(PIECES);
  add(ENDS);
  return { bytes: Buffer.concat(making.parts), whole: making.whole, hasHeader, used };
}
