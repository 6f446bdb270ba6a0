import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { LockAcquireEvent, LockEvent, LockEvents } from 'nestjs-distributed-lock';
import type { ItemReport, ProcessCommand, ProcessMessage } from './sale-report.js';

const EVERY = 50;
// Shorter pauses between two spans cannot be seen, and each span is a message.
const GAP = 0.5;
const LOCK = 'flash-sale:';

interface ItemWork {
  spans: { from: number; to?: number }[];
  waiting: number;
  inside: number;
  grants: number;
  fence: number;
}

const now = (): number => performance.timeOrigin + performance.now();

/**
 * Tells the process that started this one what happens here: who holds the lock comes from the events of the library.
 * It does nothing unless REPORT_SALE is 1, which the demo sets.
 */
@Injectable()
export class SaleReporter implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('FlashSale');
  private readonly enabled = process.env.REPORT_SALE === '1' && process.send !== undefined;
  private readonly items = new Map<string, ItemWork>();
  private readonly loop = this.enabled ? monitorEventLoopDelay({ resolution: 10 }) : undefined;
  private timer: NodeJS.Timeout | undefined;
  private freezeFor = 0;

  onModuleInit(): void {
    if (!this.enabled) return;
    subscribe('nestjs-distributed-lock:granted', this.granted);
    subscribe('nestjs-distributed-lock:released', this.released);
    subscribe('nestjs-distributed-lock:lost', this.lost);
    tracingChannel<unknown, LockAcquireEvent>('nestjs-distributed-lock:acquire').subscribe(this.calls);
    process.on('message', this.command);
    this.loop?.enable();
    this.timer = setInterval(() => this.report(), EVERY).unref();
  }

  onApplicationShutdown(): void {
    if (!this.enabled) return;
    clearInterval(this.timer);
    this.loop?.disable();
    unsubscribe('nestjs-distributed-lock:granted', this.granted);
    unsubscribe('nestjs-distributed-lock:released', this.released);
    unsubscribe('nestjs-distributed-lock:lost', this.lost);
    tracingChannel<unknown, LockAcquireEvent>('nestjs-distributed-lock:acquire').unsubscribe(this.calls);
    process.off('message', this.command);
    this.report();
  }

  /** Runs an order of `sku` that has no lock, and so no event that tells of it. */
  async withoutLock<T>(sku: string, order: () => Promise<T>): Promise<T> {
    if (!this.enabled) return order();
    const item = this.item(sku);
    if (++item.inside === 1) open(item);
    try {
      return await order();
    } finally {
      if (--item.inside === 0) close(item, now());
    }
  }

  /** The moment between decide and write: here the process stops itself when it was told to, like a long garbage collection. */
  betweenDecideAndWrite(fence: number | null): void {
    if (this.freezeFor === 0 || fence === null) return;
    const ms = this.freezeFor;
    this.freezeFor = 0;
    this.send({ frozen: { at: now(), ms, fence } });
    this.logger.warn(`Stops for ${ms} ms between decide and write, with fence ${fence}.`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    this.send({ woke: { at: now(), fence } });
  }

  /** The database refused a write with `fence`, since the row has `rowFence`. */
  refused(sku: string, fence: number | null, rowFence: number): void {
    this.logger.warn(
      `A stale write for '${sku}' was refused: its fence is ${fence}, and the row has ${rowFence}.`,
    );
    this.send({ refused: { at: now(), fence: fence ?? 0, rowFence } });
  }

  private readonly granted = (message: unknown): void => {
    const { name, fence } = message as LockEvents['nestjs-distributed-lock:granted'];
    const item = this.itemOf(name);
    if (!item) return;
    item.grants += 1;
    item.fence = fence;
    item.inside = 1;
    open(item);
  };

  private readonly released = (message: unknown): void => {
    const item = this.itemOf((message as LockEvent).name);
    if (!item) return;
    item.inside = 0;
    close(item, now());
  };

  private readonly lost = (message: unknown): void => {
    const { name, held } = message as LockEvents['nestjs-distributed-lock:lost'];
    const item = this.itemOf(name);
    if (!item) return;
    item.inside = 0;
    close(item, (item.spans.at(-1)?.from ?? now()) + held);
  };

  private readonly calls = {
    start: ({ name }: LockAcquireEvent): void => this.waits(name, 1),
    end: (): void => undefined,
    asyncStart: (): void => undefined,
    asyncEnd: ({ name }: LockAcquireEvent): void => this.waits(name, -1),
    error: (): void => undefined,
  };

  private readonly command = ({ freeze }: ProcessCommand): void => {
    this.freezeFor = freeze;
  };

  private waits(name: string, more: number): void {
    const item = this.itemOf(name);
    if (item) item.waiting += more;
  }

  private report(): void {
    if (!process.connected) return;
    const items: Record<string, ItemReport> = {};
    for (const [sku, item] of this.items) {
      items[sku] = { ...item, spans: item.spans };
      const last = item.spans.at(-1);
      item.spans = last && last.to === undefined ? [last] : [];
    }
    this.send({ report: { at: now(), items, lag: (this.loop?.max ?? 0) / 1e6 } });
    this.loop?.reset();
  }

  private send(message: ProcessMessage): void {
    if (this.enabled && process.connected) process.send?.(message);
  }

  private itemOf(lock: string): ItemWork | undefined {
    return lock.startsWith(LOCK) ? this.item(lock.slice(LOCK.length)) : undefined;
  }

  private item(sku: string): ItemWork {
    let item = this.items.get(sku);
    if (!item) this.items.set(sku, (item = { spans: [], waiting: 0, inside: 0, grants: 0, fence: 0 }));
    return item;
  }
}

function open({ spans }: ItemWork): void {
  const last = spans.at(-1);
  const from = now();
  if (last?.to !== undefined && from - last.to < GAP) delete last.to;
  else spans.push({ from });
}

function close({ spans }: ItemWork, to: number): void {
  const last = spans.at(-1);
  if (last) last.to = to;
}
