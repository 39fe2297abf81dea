import { closeSync, openSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;

/**
 * Runs in pino's transport worker. Every line begins with its thread's number and a space. What came in together is
 * grouped by thread and written with one writeSync() per thread.
 */
function pinoRouter({ paths }: { readonly paths: readonly string[] }): Writable {
  const descriptors = paths.map((path) => openSync(path, 'a'));
  let rest: Buffer = Buffer.alloc(0);

  // As bytes: one foreign character would make a chunk of 4 MiB a two-byte string, and each slice would be encoded anew.
  const route = (bytes: Buffer): void => {
    const groups = new Map<number, Buffer[]>();
    let from = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed !== -1; feed = bytes.indexOf(LINE_FEED, from)) {
      let thread = 0;
      for (; bytes[from] !== SPACE; from += 1) thread = thread * 10 + (bytes[from] ?? ZERO) - ZERO;
      const line = bytes.subarray(from + 1, feed + 1);
      const group = groups.get(thread);
      if (group === undefined) groups.set(thread, [line]);
      else group.push(line);
      from = feed + 1;
    }
    rest = bytes.subarray(from);
    for (const [thread, lines] of groups) writeSync(descriptors[thread] ?? -1, Buffer.concat(lines));
  };

  return new Writable({
    write(chunk: Buffer, _encoding, done): void {
      route(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
      done();
    },
    final(done): void {
      for (const descriptor of descriptors) closeSync(descriptor);
      done();
    },
  });
}

// pino takes a transport's default export and nothing else.
export { pinoRouter as default };
