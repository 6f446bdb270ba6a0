import { LockStoreError } from '../../lib/base/errors.js';
import type { AnswerTo, LockNotice, LockOperation } from '../../lib/store/lock-operation.js';
import { answeredAt, type Answered, type LockStore } from '../../lib/store/lock-store.js';
import type { MemoryServer } from '../../lib/store/memory/memory-server.js';
import type { ServerSample } from '../../lib/store/server-clock.js';
import { newSession } from '../../lib/store/session-id.js';
import type { HandClock } from './hand-clock.js';

/** After all that follows an answer. */
export const turned = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One command on its way. The test decides when the server reads it, how often, and what becomes of the answer. */
export class Command<O extends LockOperation = LockOperation> {
  readonly sentAt: number;
  private words: object | undefined;

  constructor(
    readonly name: string,
    readonly operation: O,
    private readonly server: MemoryServer,
    private readonly clock: HandClock,
    private readonly resolve: (answer: Answered<LockOperation>) => void,
    private readonly reject: (error: LockStoreError) => void,
  ) {
    this.sentAt = clock.now();
  }

  /** The server reads it: now for the first time, or a copy of it that comes late. The first answer counts. */
  read(): this {
    const words = this.server.apply(this.name, this.operation);
    this.words ??= words;
    return this;
  }

  /** The answer arrives: that of the server, which reads the command now if it has not done so, or `words`. */
  answer(words?: object): Promise<void> {
    const said = { now: this.server.time(), ...(words ?? this.words ?? this.read().words) };
    this.resolve(answeredAt(said as AnswerTo<LockOperation>, this.sentAt, this.clock.now()));
    return turned();
  }

  /** No answer arrives in time: the outcome is unknown. */
  lose(): Promise<void> {
    this.reject(new LockStoreError('No answer.', this.name));
    return turned();
  }

  /** The server refuses it: nothing is changed. */
  refuse({ foreign = false } = {}): Promise<void> {
    this.reject(new LockStoreError('Refused.', this.name, { refused: true, foreign }));
    return turned();
  }
}

/** A store that is faulty by hand: every command waits for the test, which also delivers the notices. */
export class HandStore implements Partial<LockStore> {
  readonly address = 'by hand';
  readonly prefix = '';
  readonly session = newSession();
  readonly commands: Command[] = [];
  /** What the server has pushed, for the test to deliver: once, twice or never. */
  readonly pushed: LockNotice[] = [];
  /** Which commands wait for the test; the others are read and answered at once. */
  held: (operation: LockOperation) => boolean = () => true;
  subscribed = true;
  trusted = true;
  /** Whether the server's clock is known. */
  sampled = true;
  private readonly unmeasured: (() => void)[] = [];
  /** When the last answer came. */
  private heardAt: number;

  constructor(
    private readonly server: MemoryServer,
    private readonly clock: HandClock,
  ) {
    this.heardAt = clock.now();
    server.connect(this.session, (_, notice) => this.subscribed && this.pushed.push(notice) > 0);
  }

  execute<O extends LockOperation>(name: string, operation: O): Promise<Answered<O>> {
    return new Promise<Answered<LockOperation>>((resolve, reject) => {
      const answered = (answer: Answered<LockOperation>): void => {
        this.heardAt = answer.receivedAt;
        resolve(answer);
      };
      const command = new Command(name, operation, this.server, this.clock, answered, reject);
      this.commands.push(command);
      if (!this.held(operation)) void command.answer();
    });
  }

  subscribe(): void {
    // The test says whether notices are heard.
  }

  sample(): ServerSample | undefined {
    return this.sampled ? this.sampleAt(this.heardAt) : undefined;
  }

  measure(): Promise<ServerSample> {
    return new Promise((resolve) => this.unmeasured.push(() => resolve(this.sampleAt(this.clock.now()))));
  }

  /** The server's clock becomes known to whoever asked for it. */
  measured(): Promise<void> {
    for (const tell of this.unmeasured.splice(0)) tell();
    return turned();
  }

  sampleFor(): ServerSample | undefined {
    return this.trusted ? this.sample() : undefined;
  }

  listen(): void {
    // The test delivers the notices.
  }

  /** The commands of a kind. */
  of<K extends LockOperation['kind']>(kind: K): Command<Extract<LockOperation, { kind: K }>>[] {
    return this.commands.filter(({ operation }) => operation.kind === kind) as never;
  }

  /** The command that was sent last. */
  get last(): Command {
    return this.commands.at(-1)!;
  }

  /** The kinds of all commands, in the order in which they were sent. */
  get kinds(): string[] {
    return this.commands.map(({ operation }) => operation.kind);
  }

  /** The notice of a kind that was pushed last. */
  notice<K extends LockNotice['kind']>(kind: K): LockNotice & { kind: K } {
    return this.pushed.findLast((notice) => notice.kind === kind) as LockNotice & { kind: K };
  }

  /** As a store, whose other members nobody here uses. */
  get store(): LockStore {
    return this as unknown as LockStore;
  }

  private sampleAt(at: number): ServerSample {
    return { sentAt: at, receivedAt: at, time: this.server.timeAt(at) };
  }
}
