import { isMainThread, MessagePort } from 'node:worker_threads';
import { shakeHands } from './producer-link.js';
import { LastwordError } from '../errors.js';
import { invalidOption } from '../options.js';
import type { AttachedProducer } from '../producers/attached-producer.js';
import type { Producer, ProducerPort, Redact } from '../types.js';

/** By sidecar: what this JavaScript thread is attached to. */
const attached = new Map<string, AttachedProducer>();
/** What a port was used for here. */
const byPort = new WeakMap<MessagePort, AttachedProducer>();
let last: Promise<unknown> = Promise.resolve();

/**
 * Makes this JavaScript thread a producer of the sidecar that made the port. Once for each sidecar: a further port of it is
 * closed, and the same producer returned. A sidecar with `redact` wants one here too, as functions do not cross threads.
 * @throws LASTWORD_INVALID_OPTION (on the main thread; the port: no port, used in another thread, of another version of the library;
 * redact: missing), LASTWORD_NOT_OPEN (the sidecar is closed), LASTWORD_TIMEOUT
 */
export function attachProducer(port: ProducerPort, options: { redact?: Redact | undefined } = {}): Promise<Producer> {
  const attaching = last.then(() => attach(port, options));
  last = attaching.catch(() => undefined);
  return attaching;
}

async function attach(given: ProducerPort, options: { redact?: Redact | undefined }): Promise<Producer> {
  if (isMainThread) throw invalidOption('port', 'on the main thread', 'a port that was transferred to a worker; here the sidecar itself appends');
  const port = (given as ProducerPort | null | undefined)?.port;
  if (!(port instanceof MessagePort)) throw invalidOption('port', typeof given, 'what createProducerPort() returned, transferred to this thread');
  if (typeof options !== 'object' || options === null) throw invalidOption('options', options, 'an object');
  const { redact } = options;
  if (redact !== undefined && typeof redact !== 'function') throw invalidOption('redact', typeof redact, 'a function');
  const known = byPort.get(port);
  if (known !== undefined) {
    if (known.isClosed) throw new LastwordError('LASTWORD_NOT_OPEN', 'the producer that was attached with this port is closed');
    return known;
  }
  // Loaded only here: whoever opens a sidecar has no use for it, and few descriptors perhaps. And before the ports of a welcome are there.
  const { AttachedProducer: Attached } = await import('../producers/attached-producer.js');
  const answer = await shakeHands(port, { hasRedact: redact !== undefined, attached: [...attached.keys()] });
  const producer = 'welcome' in answer ? begin(Attached, answer.welcome, redact) : attached.get('known' in answer ? answer.known : '');
  if (producer === undefined) throw new LastwordError('LASTWORD_NOT_OPEN', 'the producer was closed meanwhile');
  byPort.set(port, producer);
  return producer;
}

function begin(Attached: typeof AttachedProducer, welcome: ConstructorParameters<typeof AttachedProducer>[0], redact: Redact | undefined): AttachedProducer {
  const { instance } = welcome;
  const producer = new Attached(welcome, redact, () => { attached.delete(instance); });
  attached.set(instance, producer);
  return producer;
}
