import type { LockNotice } from '../../store/lock-operation.js';
import type { LockStore } from '../../store/lock-store.js';

type Heard = LockNotice & { readonly name: string };

const PATIENCE = 10_000;

/** Listens to a session and remembers what it heard. */
export class NoticeRecorder {
  readonly heard: Heard[] = [];
  wakes = 0;
  private readonly waiting = new Set<() => void>();

  /** `patience` is how long it waits for a notice, in milliseconds. */
  constructor(
    store: LockStore,
    private readonly patience = PATIENCE,
  ) {
    const changed = (): void => this.waiting.forEach((check) => check());
    store.listen({
      notice: (name, notice) => {
        this.heard.push({ ...notice, name });
        changed();
      },
      wake: () => {
        this.wakes += 1;
        changed();
      },
    });
  }

  /** The first notice of that kind for that attempt, now or soon. */
  async notice<K extends LockNotice['kind']>(kind: K, id: string): Promise<Heard & { kind: K }> {
    const found = () => this.heard.find((notice) => notice.kind === kind && notice.id === id);
    await this.until(() => found() !== undefined, `a notice '${kind}' for ${id}`);
    return found() as Heard & { kind: K };
  }

  /** What was heard for an attempt, in order. */
  of(id: string): string[] {
    return this.heard.filter((notice) => notice.id === id).map(({ kind }) => kind);
  }

  async woken(): Promise<void> {
    await this.until(() => this.wakes > 0, 'a wake');
  }

  private until(met: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!met()) return;
        clearTimeout(timer);
        this.waiting.delete(check);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(check);
        reject(
          new Error(`${what} was not heard within ${this.patience} ms; heard: ${JSON.stringify(this.heard)}`),
        );
      }, this.patience);
      this.waiting.add(check);
      check();
    });
  }
}
