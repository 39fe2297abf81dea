import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { expose } from 'comlink';
import { LastwordError, toWireError } from '../errors.js';
import { invalidOption, type ResolvedOptions } from '../options.js';
import { createProducerWasmMemory } from '../ring/memory.js';
import { recycleProducerMemory } from '../ring/recycle.js';
import { wakeProducer } from '../ring/doorbell.js';
import { takeLateAfter } from '../ring/figures.js';
import { ServedProducer, type ProducersHost } from '../producers/served-producer.js';
import { VERSION } from '../version.js';
import type { Answer, Hello } from './producer-protocol.js';
import type { RingData } from './protocol.js';

export interface ProducersParts {
  readonly sidecar: SharedArrayBuffer;
  /** Of every producer, for the writer and its successors; the first is the sidecar's own. */
  readonly rings: RingData[];
  readonly transcoder: WebAssembly.Module;
  readonly instance: string;
}

/** The producers in other JavaScript threads: hands out ports, and gives whoever attaches with one a memory. */
export class ProducerServer {
  readonly #host: ProducersHost;
  readonly #options: ResolvedOptions;
  readonly #parts: ProducersParts;
  /** Nobody has attached with them yet. */
  readonly #ports = new Set<MessagePort>();
  readonly #served = new Map<ServedProducer, MessagePort>();
  /** Of producers that are over: pages once touched stay resident, and are used again. */
  readonly #spare: WebAssembly.Memory[] = [];
  #last = 0;

  constructor(host: ProducersHost, options: ResolvedOptions, parts: ProducersParts) {
    this.#host = host;
    this.#options = options;
    this.#parts = parts;
  }

  /** The half of the channel that is to be transferred. */
  createPort(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#ports.add(port1);
    port1.on('message', (message: unknown) => { this.#heard(port1, message); });
    port1.once('close', () => { this.#ports.delete(port1); });
    // An idle sidecar must not keep the process alive.
    port1.unref();
    return port2;
  }

  /** Every producer looks again: the writer is another one now, or there is none. */
  wakeAll(): void {
    for (const { memory } of this.#served.keys()) wakeProducer(memory);
  }

  /** Items that came after the receipt of their thread, since this was asked last. */
  takeLate(): number {
    let items = 0;
    for (const { memory } of this.#served.keys()) items += takeLateAfter(memory);
    return items;
  }

  /** Every thread is closed, and nobody attaches any more. */
  close(): void {
    for (const port of this.#ports) port.close();
    for (const [served, port] of [...this.#served]) {
      served.ended();
      port.close();
    }
  }

  #heard(port: MessagePort, message: unknown): void {
    const hello = message as Partial<Hello> | null;
    if (hello?.lastword !== 'hello') return;
    const nonce = Number(hello.nonce);
    const refuse = (error: unknown): void => {
      port.postMessage({ lastword: 'answer', nonce, refused: toWireError(error, 'LASTWORD_NOT_OPEN') } satisfies Answer);
    };
    try {
      this.#assertWelcome(port, hello);
    } catch (error) {
      refuse(error);
      return;
    }
    const { instance } = this.#parts;
    if (hello.attached?.includes(instance) === true) {
      port.postMessage({ lastword: 'answer', nonce, known: instance } satisfies Answer);
      return;
    }
    // Whoever comes with it after this is not the one it was given to.
    this.#ports.delete(port);
    this.#serve(port, nonce).catch(refuse);
  }

  /** @throws LASTWORD_NOT_OPEN, LASTWORD_INVALID_OPTION */
  #assertWelcome(port: MessagePort, { version, hasRedact }: Partial<Hello>): void {
    if (version !== VERSION) throw invalidOption('port', `of lastword ${VERSION}`, `a port of the same version: this thread has ${String(version)}`);
    if (!this.#ports.has(port)) throw invalidOption('port', 'in use', 'a port that no other thread has attached with');
    this.#host.sidecar.assertOpen();
    if (this.#options.redact !== undefined && hasRedact !== true) throw invalidOption('redact', undefined, 'a function, as the sidecar has one');
  }

  async #serve(hostPort: MessagePort, nonce: number): Promise<void> {
    const { durability, closeTimeoutMs, whenFull, fullTimeoutMs, itemBytesMax } = this.#options;
    const { instance, rings, sidecar, transcoder } = this.#parts;
    const ring = this.#newRing();
    rings.push(ring);
    const { writer } = this.#host.sidecar;
    try {
      await writer.call('addRing', closeTimeoutMs, (control) => control.addRing(ring));
      // It may have been closed meanwhile.
      this.#host.sidecar.assertOpen();
    } catch (error) {
      // A writer that comes back to it finds nothing there.
      rings.splice(rings.indexOf(ring), 1);
      this.#host.sidecar.assertOpen();
      throw error;
    }
    const { port1: port, port2: control } = new MessageChannel();
    const served: ServedProducer = new ServedProducer(this.#host, { ring, tell: (event) => { port.postMessage(event); }, onOver: () => this.#takeBack(served) });
    this.#served.set(served, port);
    expose(served, port);
    // Nobody but the library has the other half, and it closes it when it has let go of all: else its thread has ended.
    port.once('close', () => { served.ended(); });
    port.unref();
    const options = { durability, closeTimeoutMs, whenFull, fullTimeoutMs, itemBytesMax };
    hostPort.postMessage({ lastword: 'answer', nonce, welcome: { instance, sidecar, ring, transcoder, options, control } } satisfies Answer, [control]);
  }

  #newRing(): RingData {
    const { ringBytes, overflowBytes } = this.#options;
    try {
      const memory = this.#spare.pop() ?? createProducerWasmMemory(ringBytes, overflowBytes);
      this.#last += 1;
      return { producer: this.#last, memory, ringBytes, overflowBytes };
    } catch (cause) {
      throw new LastwordError('LASTWORD_NOT_OPEN', 'there is no memory for a further producer', {}, { cause });
    }
  }

  /** Nobody appends there any more, and the writer looks at it no more: it is another producer's. */
  async #takeBack(served: ServedProducer): Promise<void> {
    const { log, options, writer } = this.#host.sidecar;
    const { producer } = served;
    this.#host.lateAfterReceipt(takeLateAfter(served.memory));
    this.#served.delete(served);
    try {
      await writer.call('removeRing', options.closeTimeoutMs, (control) => control.removeRing(producer));
    } catch {
      log.debug({ producer }, 'the memory of a producer that ended was not given back: the writer did not answer');
      return;
    }
    const { rings } = this.#parts;
    const [ring] = rings.splice(rings.findIndex((one) => one.producer === producer), 1);
    if (ring === undefined) return;
    recycleProducerMemory(served.memory);
    this.#spare.push(ring.memory);
  }
}
