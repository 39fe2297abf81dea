import { inspect } from 'node:util';
import { Packr, Unpackr, addExtension } from 'msgpackr';
import { Packr as OurPackr } from 'msgpackr/pack';
import { describe, expect, it } from 'vitest';
import { LastwordError } from '../../src/errors.js';
import { isCyclic } from '../../src/producer/cycles.js';
import { DEFINITIONS_BYTES, DEFINITIONS_OFFSET } from '../../src/ring/layout.js';
import { createRig, encodeAt, expectedLine, lineAround, lineOf, put, transcode, type Rig } from '../support/transcoding-rig.js';

const rig = createRig();

/** The error that encoding throws; its message and context never hold payload. */
function refusalOf(item: object, of: Rig = rig): LastwordError {
  for (const encode of [() => of.encoder.encodeInto(item, of.window, 32), () => of.encoder.encode(item), () => of.encoder.encodePlain(item)]) {
    expect(encode).toThrow(LastwordError);
  }
  try {
    of.encoder.encodeInto(item, of.window, 32);
  } catch (error) {
    if (error instanceof LastwordError) return error;
  }
  throw new Error('was not refused');
}

function nested(levels: number, wrap: (inner: unknown) => object): object {
  let value: unknown = 1;
  for (let level = 1; level < levels; level += 1) value = wrap(value);
  return { a: value };
}

function depthOf(item: object, of: Rig = rig): number {
  const { offset, bytes } = encodeAt(of, item);
  return of.reader.depth(offset, bytes);
}

describe('an item', () => {
  it('is packed where it will lie', () => {
    const item = { type: 'x', payload: { a: 'b' } };
    for (const offset of [0, 8, 4096, 65_536]) {
      const bytes = rig.encoder.encodeInto(item, rig.window, offset);
      expect(bytes).toBeGreaterThan(0);
      expect(transcode(rig, { offset: rig.windowOffset + offset, bytes }).toString()).toBe(expectedLine(item));
    }
  });

  it('is spilled when the window is too small for it, and nothing behind the window is touched', () => {
    const item = { type: 'x', text: 'long '.repeat(10_000), more: [1, { two: 2 }] };
    const window = rig.window.subarray(0, 16_384);
    rig.window.fill(0xee, 16_384, 65_536);
    for (const offset of [0, 1024, 12_288, 14_000, 16_384]) {
      expect(rig.encoder.encodeInto(item, window, offset)).toBe(-1);
      expect(transcode(rig, put(rig, rig.encoder.spilled, 1_000_000)).toString()).toBe(expectedLine(item));
    }
    expect(rig.window.subarray(16_384, 65_536).every((byte) => byte === 0xee)).toBe(true);
  });

  it('lies in memory of its own after encode()', () => {
    const first = rig.encoder.encode({ type: 'x', n: 1 });
    const copy = Buffer.from(first);
    for (let n = 0; n < 2000; n += 1) rig.encoder.encode({ type: 'x', n, text: 'y'.repeat(n) });
    expect(copy.equals(first)).toBe(true);
  });

  it('may be a Map, or of a class, or without a prototype', () => {
    class Event { type = 'x'; payload = { a: 1 }; get computed(): number { return 1; } }
    expect(lineOf(rig, new Event())).toBe(expectedLine(new Event()));
    const bare = Object.assign(Object.create(null) as object, { type: 'x', a: [Object.create(null)] });
    expect(lineOf(rig, bare)).toBe(expectedLine(bare));
    expect(lineOf(rig, new Map([['type', 'x']]))).toBe(lineAround('{"type":"x"}'));
  });

  it('is invalid when it is not written as an object', () => {
    for (const item of [[], [1], new Date(), new Set(), new Error('x'), /x/, Buffer.from('x'), new String('x'), () => 1, { toJSON: () => 'x' }]) {
      expect(refusalOf(item).code).toBe('LASTWORD_ITEM_INVALID');
    }
  });
});

describe('members that msgpackr writes otherwise than JSON.stringify', () => {
  const same = (item: object): void => {
    for (let time = 0; time < 3; time += 1) {
      expect(lineOf(rig, item), inspect(item)).toBe(expectedLine(item));
      expect(lineOf(rig, { type: 'x', inner: [item, { item }] }), inspect(item)).toBe(expectedLine({ type: 'x', inner: [item, { item }] }));
    }
  };

  it('are functions: left out, or null in arrays', () => {
    same({ type: 'x', f: () => 1, a: [() => 1, 2], g: class {}, last: 1 });
  });

  it('are toJSON() of plain objects, own or inherited, and of functions', () => {
    same({ type: 'x', a: { b: 1, toJSON: (key: string) => ({ key }) } });
    same({ type: 'x', a: Object.create({ toJSON: (key: string) => [key] }) as object });
    same({ type: 'x', a: Object.assign(() => 1, { toJSON: () => 'text' }), b: { toJSON: 'no function' } });
    same({ type: 'x', a: { toJSON: () => undefined }, b: [{ toJSON: () => undefined }], c: { toJSON: () => ({ toJSON: () => 1 }) } });
  });

  it('are boxed primitives', () => {
    same({ type: 'x', a: [new String('s'), new Number(1.5), new Boolean(false)], b: Object('text') as object });
    expect(lineOf(rig, { a: Object(5n) as object })).toBe(lineAround('{"a":5}'));
  });

  it('are subclasses of Map: objects of their entries, as Maps are', () => {
    class Headers extends Map<string, unknown> { readonly own = 1; }
    expect(lineOf(rig, { headers: new Headers([['a', new Headers([['b', 1]])]]) })).toBe(lineAround('{"headers":{"a":{"b":1}}}'));
  });

  it('are names of Object.prototype', () => {
    const parsed = JSON.parse('{"__proto__":{"a":1},"constructor":"c","hasOwnProperty":1,"toString":null,"toJSON":2,"valueOf":[]}') as object;
    same(parsed);
    same({ type: 'x', constructor: { name: 'Array' }, hasOwnProperty: 'x' });
    same({ type: 'x', hasOwnProperty: () => false, a: 1 });
    same({ type: 'x', in: Object.assign(Object.create(Object.create(null, { inherited: { value: 1, enumerable: true } }) as object) as object, { own: 2 }) });
  });

  it('are keys that msgpackr uses itself, before and after items that have others', () => {
    same({});
    same({ a: 1 });
    same({ __keys__: 1 });
    same({ a: 1, __keys__: 2 });
    same({ a: 1, __keys__: 2, length: 3, map: 4 });
    same({ a: { __keys__: { __keys__: [] } }, b: 1 });
    same({});
    same({ a: 1 });
    same({ a: 1, b: 2 });
    for (const first of [{ __keys__: 1 }, { a: { __keys__: {} } }]) {
      const of = createRig();
      for (const item of [first, {}, { a: {} }, first, { a: 1, b: 2 }, { a: 1 }]) expect(lineOf(of, item)).toBe(expectedLine(item));
    }
  });

  it('may have toJSON() called twice, not more', () => {
    class Counted { calls = 0; toJSON(): number { this.calls += 1; return this.calls; } }
    const counted = new Counted();
    lineOf(rig, { type: 'x', counted, f: () => 1 });
    expect(counted.calls).toBe(2);
  });
});

describe('an item that cannot be packed', () => {
  const thrown = new Error('secret payload');

  it('is invalid when a getter, a toJSON() or a Proxy throws: the kind of what was thrown is said, and nothing that it says', () => {
    const fail = (): never => { throw thrown; };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    class Throwing { toJSON = fail; }
    for (const inner of [{ get a() { return fail(); } }, new Throwing(), { toJSON: fail }, new Proxy({}, { ownKeys: fail })]) {
      const error = refusalOf({ type: 'x', secret: 'payload', inner });
      expect(error.code).toBe('LASTWORD_ITEM_INVALID');
      expect(error.context['thrown']).toBe('Error');
      expect(inspect(error)).not.toContain('payload');
    }
    expect(refusalOf({ type: 'x', proxy }).context['thrown']).toBe('TypeError');
    for (const value of [undefined, null, 0, 'text']) expect(refusalOf({ get a() { throw value; } }).code).toBe('LASTWORD_ITEM_INVALID'); // eslint-disable-line @typescript-eslint/only-throw-error -- hosts throw anything
  });

  it('is invalid when a value is a symbol', () => {
    expect(refusalOf({ type: 'x', a: Symbol('s') }).code).toBe('LASTWORD_ITEM_INVALID');
    expect(refusalOf({ type: 'x', a: [Symbol('s')], f: () => 1 }).code).toBe('LASTWORD_ITEM_INVALID');
  });

  it('leaves the encoder as good as before, its definitions too', () => {
    const of = createRig();
    const bad = { type: 'x', fresh1: 1, inner: { fresh2: 2, get bad() { throw thrown; } } };
    const good = { type: 'x', fresh1: 1, inner: { fresh2: 2, bad: 3 } };
    for (let time = 0; time < 5; time += 1) {
      refusalOf(bad, of);
      expect(lineOf(of, good)).toBe(expectedLine(good));
      refusalOf({ ...bad, [`key${time}`]: Symbol('s') }, of);
    }
    expect(of.encoder.isPacking).toBe(false);
  });
});

describe('nesting', () => {
  const shapes: ((inner: unknown) => object)[] = [
    (inner) => ({ a: inner }), (inner) => [inner], (inner) => new Map([['a', inner]]), (inner) => new Set([inner]), (inner) => ({ type: 'x', payload: inner }),
  ];

  it('counts the item as the first level, and objects, arrays, Maps and Sets alike', () => {
    for (const wrap of shapes) for (const levels of [1, 2, 3, 999, 1000]) expect(depthOf(nested(levels, wrap))).toBe(levels);
    // Sets within Sets may exhaust the stack and go the slow way, which refuses them itself.
    for (const wrap of shapes.slice(0, 3)) expect(depthOf(nested(1001, wrap))).toBe(1001);
    expect(depthOf({ a: [], b: {} })).toBe(2);
    expect(depthOf({ a: new Error('x'), b: 'x'.repeat(5000) })).toBe(2);
  });

  it('of 1,000 levels is transcoded; the slow way refuses 1,001', () => {
    for (const wrap of shapes.slice(0, 2)) {
      const deep = nested(1000, wrap);
      expect(lineOf(rig, deep)).toBe(expectedLine(deep));
      expect(transcode(rig, put(rig, rig.encoder.encodePlain(deep))).toString()).toBe(expectedLine(deep));
      expect(() => rig.encoder.encodePlain(nested(1001, wrap))).toThrow(expect.objectContaining({ code: 'LASTWORD_ITEM_INVALID' }));
    }
  });

  it('without end is invalid, whatever is in the cycle, at a bounded cost', () => {
    const cyclic = (wrap: (inner: unknown) => object, text: string): object => {
      const holder: { type: string; text: string; self?: unknown } = { type: 'x', text };
      holder.self = wrap(holder);
      return holder;
    };
    const before = process.memoryUsage().arrayBuffers;
    for (const wrap of shapes) {
      for (const text of ['', 'x'.repeat(1 << 20)]) {
        const error = refusalOf(cyclic(wrap, text));
        expect(error.code).toBe('LASTWORD_ITEM_INVALID');
        expect(error.message).toContain('cyclic');
      }
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 30);
    expect(refusalOf(nested(200_000, (inner) => [inner])).code).toBe('LASTWORD_ITEM_INVALID');
  });

  it('is looked for without calling anything of the host, and not where one object only comes twice', () => {
    const fail = (): never => { throw new Error('was called'); };
    const shared = { a: new Map([[{ k: 1 }, new Set([1])]]) };
    const item: Record<string, unknown> = { shared, again: [shared, shared], proxy: new Proxy({}, { get: fail, ownKeys: fail, getOwnPropertyDescriptor: fail }) };
    Object.defineProperty(item, 'late', { enumerable: true, get: fail });
    expect(isCyclic(item)).toBe(false);
    shared.a.set({ k: 2 }, new Set([item as unknown as number]));
    expect(isCyclic(item)).toBe(true);
  });
});

describe('an item that is too large', () => {
  it('is refused by its bytes, from one byte above the bound', () => {
    const of = createRig(100_000);
    const overhead = of.encoder.encode({ type: 'x', text: 'y'.repeat(90_000) }).byteLength - 90_000;
    for (let time = 0; time < 2; time += 1) {
      const room = 100_000 - overhead;
      expect(of.encoder.encodePlain({ text: 'y'.repeat(90_000) }).byteLength).toBeGreaterThan(90_000);
      expect(of.encoder.encodeInto({ type: 'x', text: 'y'.repeat(room - 10) }, of.window, 32)).toBeGreaterThan(0);
      expect(refusalOf({ type: 'x', text: 'y'.repeat(100_001) }, of).code).toBe('LASTWORD_ITEM_TOO_LARGE');
    }
    expect(refusalOf({ type: 'x', bytes: Buffer.alloc(200_000) }, of).code).toBe('LASTWORD_ITEM_TOO_LARGE');
    expect(refusalOf({ type: 'x', list: new Array(100_000).fill(1) }, of).code).toBe('LASTWORD_ITEM_TOO_LARGE');
  });

  it('by sharing one object many times is refused at a bounded cost, the slow way too', () => {
    for (const leaf of [{ a: 1 }, { f: () => 1 }, [1], [() => 1]]) {
      let value: unknown = leaf;
      for (let level = 0; level < 60; level += 1) value = level % 2 === 0 ? [value, value] : { x: value, y: value };
      expect(refusalOf({ type: 'x', value }, createRig(100_000)).code).toBe('LASTWORD_ITEM_TOO_LARGE');
    }
  });
});

describe("beside the host's own msgpackr", () => {
  const host = new Packr({ structures: [] as never });
  const reader = new Unpackr({ structures: (host as unknown as { structures: never }).structures });
  const sample = { a: 1, b: ['text', { c: 'x'.repeat(3000) }] };

  it('is tested with the very module that we use', () => {
    expect(Packr).toBe(OurPackr);
  });

  it('extensions that the host adds are written as their bytes, or as what they write', () => {
    class Packed { readonly own = 1; }
    class Written { readonly own = 1; }
    addExtension({ Class: Packed, type: 0x31, pack: () => Buffer.from('abc'), unpack: () => new Packed() });
    addExtension({ Class: Written, type: 0x32, write: () => ({ was: [new Set([1])] }), read: () => new Written() });
    for (let time = 0; time < 3; time += 1) {
      expect(lineOf(rig, { a: new Packed(), b: [new Written()], c: 1 })).toBe(lineAround('{"a":"YWJj","b":[{"was":[[1]]}],"c":1}'));
    }
  });

  it('packs of the host never reach the window, and ours are whole, however they take turns', () => {
    for (let turn = 0; turn < 3000; turn += 1) {
      const item = { type: 'x', turn, text: 'y'.repeat(turn % 700) };
      const payload = encodeAt(rig, item);
      const before = Buffer.from(rig.bytes.subarray(payload.offset, payload.offset + payload.bytes));
      const packs = Array.from({ length: turn % 4 }, () => host.pack({ ...sample, turn }));
      for (const packed of packs) {
        expect(packed.buffer).not.toBe(rig.memory);
        expect(reader.unpack(packed)).toEqual({ ...sample, turn });
      }
      expect(before.equals(rig.bytes.subarray(payload.offset, payload.offset + payload.bytes))).toBe(true);
      if (turn % 50 === 0) expect(transcode(rig, payload).toString()).toBe(expectedLine(item));
    }
  });

  it("an item that is encoded inside the host's pack spoils neither", () => {
    const lines: string[] = [];
    class Nosy {
      readonly n: number;
      constructor(n: number) { this.n = n; }
      toJSON(): object {
        const item = { type: 'x', n: this.n, text: 'inner '.repeat(this.n), f: this.n % 3 === 0 ? () => 1 : 1 };
        const payload = encodeAt(rig, item);
        lines.push(transcode(rig, payload).toString());
        expect(lines.at(-1)).toBe(expectedLine(item));
        return { seen: this.n };
      }
    }
    for (let n = 0; n < 200; n += 1) {
      const packed = host.pack({ before: 'x'.repeat(n), nosy: new Nosy(n), after: ['y'.repeat(n), new Nosy(n + 1)] });
      expect(packed.buffer).not.toBe(rig.memory);
      expect(reader.unpack(packed)).toEqual({ before: 'x'.repeat(n), nosy: { seen: n }, after: ['y'.repeat(n), { seen: n + 1 }] });
    }
    expect(lines).toHaveLength(400);
  });

  it("the host's packs and other encoders inside an item spoil neither", () => {
    const other = createRig();
    class Nosy {
      readonly n: number;
      constructor(n: number) { this.n = n; }
      toJSON(): object {
        expect(rig.encoder.isPacking).toBe(true);
        const packed = host.pack({ ...sample, n: this.n });
        expect(reader.unpack(packed)).toEqual({ ...sample, n: this.n });
        const item = { type: 'inner', n: this.n, text: 'z'.repeat(this.n * 30) };
        expect(transcode(other, encodeAt(other, item)).toString()).toBe(expectedLine(item));
        const payload = put(rig, rig.encoder.encode({ ...item, [`fresh${this.n}`]: { again: this.n } }), 2 << 20);
        expect(transcode(rig, payload).toString()).toBe(expectedLine({ ...item, [`fresh${this.n}`]: { again: this.n } }));
        return { seen: this.n, [`outer${this.n}`]: 1 };
      }
    }
    for (let n = 0; n < 200; n += 1) {
      const item = { type: 'x', before: 'x'.repeat(n), nosy: new Nosy(n), list: [new Nosy(n + 1)], after: { [`key${n % 7}`]: n } };
      const line = lineOf(rig, item);
      expect(rig.encoder.isPacking).toBe(false);
      expect(line).toBe(lineAround(`{"type":"x","before":"${'x'.repeat(n)}","nosy":{"seen":${n},"outer${n}":1},"list":[{"seen":${n + 1},"outer${n + 1}":1}],"after":{"key${n % 7}":${n}}}`));
    }
  });
});

describe('record definitions', () => {
  it('are shared from the second item on', () => {
    const of = createRig();
    const item = { alpha: 1, payload: { beta: 2, gamma: [{ delta: 3 }] } };
    const [first = 0, second = 0, third = 0] = [1, 2, 3].map(() => of.encoder.encode(item).byteLength);
    expect(second).toBeLessThan(first / 3);
    expect(third).toBe(second);
    expect(lineOf(of, item)).toBe(expectedLine(item));
  });

  it('may be more than msgpackr shares', () => {
    const of = createRig();
    for (let time = 0; time < 3; time += 1) {
      for (let n = 0; n < 8500; n += 1) {
        const item = { [`k${n}`]: n, p: 1 };
        const payload = encodeAt(of, item);
        if (time === 2 || n % 100 === 0) expect(transcode(of, payload).toString()).toBe(expectedLine(item));
      }
    }
  });

  it('may be more than their area holds', () => {
    const of = createRig();
    const key = 'a long key of a record '.repeat(20);
    of.bytes.fill(0xee, DEFINITIONS_OFFSET + DEFINITIONS_BYTES, DEFINITIONS_OFFSET + DEFINITIONS_BYTES + 4096);
    for (let time = 0; time < 3; time += 1) {
      for (let n = 0; n < 2600; n += 1) {
        const item = { [`${key}${n}`]: { a: n } };
        expect(lineOf(of, item)).toBe(expectedLine(item));
      }
    }
    const wide = Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, index]));
    for (let time = 0; time < 3; time += 1) expect(lineOf(of, { wide })).toBe(expectedLine({ wide }));
    const behind = createRig();
    expect(lineOf(behind, { [key.repeat(1000)]: 1 })).toBe(expectedLine({ [key.repeat(1000)]: 1 }));
  });

  it('of an item alone may be more than the ids for them, in objects within objects', () => {
    const of = createRig();
    const tree = (level: number, path: string): object => (level === 0
      ? { [`leaf${path}`]: 1 }
      : Object.fromEntries(['a', 'b', 'c'].map((name) => [`${name}${path}`, tree(level - 1, path + name)])));
    const item = { type: 'x', tree: tree(4, ''), again: tree(3, '') };
    for (let time = 0; time < 4; time += 1) expect(lineOf(of, item)).toBe(expectedLine(item));
  });

  it('are found by a transcoder that is made later', () => {
    const of = createRig();
    const item = { type: 'x', payload: { some: 1, keys: [{ more: 1 }] } };
    for (let time = 0; time < 3; time += 1) encodeAt(of, item);
    expect(lineOf(of, item)).toBe(expectedLine(item));
  });
});
