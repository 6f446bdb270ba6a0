import type { Clock } from '../../base/clock.js';
import { LockStoreError } from '../../base/errors.js';
import type { Grant, LockNotice, LockOperation } from '../lock-operation.js';
import type { LatchAnswer, LatchOperation } from '../latch-machine.js';
import {
  answeredAt,
  type Answered,
  type LockReading,
  type LockStore,
  type LockStoreListener,
  type StoreFindings,
} from '../lock-store.js';
import type { ServerSample } from '../server-clock.js';
import type { MemoryServer } from './memory-server.js';

const NAMES_A_STEP = 256;
// Its reactions are microtasks, like those of queueMicrotask, which the fake timers of a test would hold back.
const NOW = Promise.resolve();

/** One session at a {@link MemoryServer}: the locks of this process only, with every rule of the machine. */
export class MemoryStore implements LockStore {
  readonly address = 'memory';
  readonly prefix = '';
  private readonly listeners: LockStoreListener[] = [];
  private listening = false;
  private closed = false;

  constructor(
    private readonly server: MemoryServer,
    readonly session: string,
    private readonly clock: Clock,
    /** What an operator should know of these locks. */
    private readonly warnings: readonly string[] = [],
  ) {
    server.connect(session, (name, notice) => this.hear(name, notice));
  }

  get subscribed(): boolean {
    return this.listening && !this.closed;
  }

  // A failure is a rejection, and the answer never comes before `execute` has returned.
  execute<O extends LockOperation>(name: string, operation: O, _timeout: number): Promise<Answered<O>> {
    return new Promise((resolve) => {
      this.assertOpen(name);
      const at = this.clock.now();
      resolve(answeredAt<O>(this.server.apply(name, operation), at, at));
    });
  }

  async latch(name: string, operation: LatchOperation, _timeout: number): Promise<LatchAnswer> {
    this.assertOpen(name);
    return Promise.resolve(this.server.applyLatch(name, operation));
  }

  async read(name: string, _timeout: number): Promise<LockReading> {
    this.assertOpen(name);
    return Promise.resolve(this.reading(name));
  }

  async *list(_timeout: number): AsyncGenerator<readonly LockReading[]> {
    this.assertOpen();
    let page: LockReading[] = [];
    for (const name of this.server.names()) {
      page.push(this.reading(name));
      if (page.length < NAMES_A_STEP) continue;
      yield page;
      page = [];
      await new Promise<void>((next) => this.clock.breathe(next));
      this.assertOpen();
    }
    yield page;
  }

  subscribe(): void {
    if (this.listening || this.closed) return;
    this.listening = true;
    this.later(() => this.listeners.forEach((listener) => listener.wake()));
  }

  sample(_name: string): ServerSample {
    const at = this.clock.now();
    return { sentAt: at, time: this.server.timeAt(at), receivedAt: at };
  }

  async measure(name: string, _timeout: number): Promise<ServerSample> {
    this.assertOpen(name);
    return Promise.resolve(this.sample(name));
  }

  sampleFor(_grant: Grant): ServerSample {
    return this.sample('');
  }

  listen(listener: LockStoreListener): void {
    this.listeners.push(listener);
  }

  async ready(_timeout: number): Promise<StoreFindings> {
    this.assertOpen();
    return Promise.resolve({ address: this.address, publish: true, warnings: this.warnings });
  }

  /** Its answers never need an event of the event loop. */
  readonly awaited = false;

  keepAlive(_on: boolean): void {
    // There is no connection.
  }

  async close(): Promise<void> {
    if (!this.closed) this.server.disconnect(this.session);
    this.closed = true;
    return Promise.resolve();
  }

  private reading(name: string): LockReading {
    return { name, key: name, ...this.server.read(name) };
  }

  private hear(name: string, notice: LockNotice): boolean {
    if (!this.subscribed) return false;
    this.later(() => this.listeners.forEach((listener) => listener.notice(name, notice)));
    return true;
  }

  // In its own microtask, in the order of the calls: a store never calls back while its caller is still running.
  private later(tell: () => void): void {
    void NOW.then(() => {
      if (!this.closed) tell();
    });
  }

  private assertOpen(name?: string): void {
    if (this.closed)
      throw new LockStoreError(
        `The in-memory store is closed: nothing was done${name === undefined ? '' : ` for the lock '${name}'`}.`,
        name,
      );
  }
}
