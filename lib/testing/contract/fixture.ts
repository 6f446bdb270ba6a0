import type { LockStore } from '../../store/lock-store.js';
import { newSeal } from '../../store/session-id.js';
import { NoticeRecorder } from './notice-recorder.js';
import { Peer, TIMEOUT } from './peer.js';

/** The cases of one part of the contract, by their titles. */
export type Cases = Readonly<Record<string, (fixture: Fixture) => Promise<void>>>;

/** What a case works with: two sessions at one place, and a name that no other case uses. */
export interface Fixture {
  /** The first process. Whatever it or `b` does is about the name of this case. */
  readonly a: Peer;
  /** The second process. */
  readonly b: Peer;
  readonly one: LockStore;
  readonly recorderOne: NoticeRecorder;
  readonly recorderTwo: NoticeRecorder;
  /** Whether the store knows when nobody hears a notice. */
  readonly countable: boolean;
  /** Opens one more session, with a fence memory in milliseconds. */
  readonly open: (fenceMemory: number) => Promise<LockStore>;
  /** Resolves when a session hears notices. */
  readonly hears: (store: LockStore) => Promise<void>;
}

/** The sessions that all cases of a contract share, opened for the first of them. */
export class Sessions {
  private readonly opened: LockStore[] = [];
  private shared:
    Promise<Pick<Fixture, 'one' | 'recorderOne' | 'recorderTwo'> & { two: LockStore }> | undefined;

  constructor(
    private readonly openStore: (fenceMemory: number) => Promise<LockStore>,
    private readonly countable: boolean,
    private readonly patience: number,
  ) {}

  /** What one case works with. */
  async fixture(): Promise<Fixture> {
    const { one, two, recorderOne, recorderTwo } = await (this.shared ??= this.openShared());
    const name = `contract:${newSeal()}`;
    const [a, b] = [new Peer(one, name), new Peer(two, name)];
    return {
      a,
      b,
      one,
      recorderOne,
      recorderTwo,
      countable: this.countable,
      open: this.open,
      hears: this.hears,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.opened.splice(0).map((store) => store.close()));
    this.shared = undefined;
  }

  private async openShared() {
    const [one, two] = await Promise.all([this.open(60_000), this.open(60_000)]);
    const [recorderOne, recorderTwo] = [
      new NoticeRecorder(one, this.patience),
      new NoticeRecorder(two, this.patience),
    ] as const;
    for (const store of [one, two]) {
      await store.ready(TIMEOUT);
      store.subscribe();
    }
    await Promise.all([this.hears(one), this.hears(two)]);
    return { one, two, recorderOne, recorderTwo };
  }

  private readonly open = async (fenceMemory: number): Promise<LockStore> => {
    const store = await this.openStore(fenceMemory);
    this.opened.push(store);
    return store;
  };

  private readonly hears = async (store: LockStore): Promise<void> => {
    const end = Date.now() + this.patience;
    while (!store.subscribed) {
      if (Date.now() > end) throw new Error(`A session was not subscribed within ${this.patience} ms.`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
}
