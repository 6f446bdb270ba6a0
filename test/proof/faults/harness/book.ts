import type { Claim, ClaimTerms, Contender, EntryWay, Share } from './contender.js';
import { type Kind, monotonic, type HistoryFile } from './history.js';

export interface Take {
  readonly id: string;
  readonly waited: number;
  readonly fence?: number;
  readonly refused?: { code: string; message: string };
}

/** A hold on its way to whoever resumes it. */
export interface Parcel {
  readonly text: string;
  /** The hold that was handed over. */
  readonly id: string;
  readonly name: string;
  readonly share?: Share;
}

const EVERY = 4;
const AT_A_TIME = 50;

/** What this process asks for and holds, written into the history: invocations, answers, losses and samples. */
export class Book {
  private readonly claims = new Map<string, Claim>();
  private readonly entries = new Map<string, Claim>();
  private readonly untils = new Map<string, { until: number; told: number; held: boolean; lost: number }>();
  private turn = this.claims.keys();
  private count = 0;
  private readonly timer = setInterval(() => this.sampleSome(), EVERY);

  constructor(
    private readonly history: HistoryFile,
    private readonly process: string,
    private readonly contender: Contender,
  ) {}

  take(name: string, terms: ClaimTerms): Promise<Take> {
    const { kind = 'mutex', units = 1 } = terms.share ?? {};
    return this.ask({ name, kind, units }, () => this.contender.acquire(name, terms));
  }

  private async ask(
    what: { name: string; kind: Kind; units: number; resumes?: string },
    acquire: () => Promise<Claim>,
  ): Promise<Take> {
    const id = this.nextId();
    const asked = monotonic();
    this.history.add({ type: 'acquire', id, process: this.process, at: asked, ...what });
    let claim: Claim;
    try {
      claim = await acquire();
    } catch (error) {
      const { code, message, reason, name: kind } = error as Error & { code?: string; reason?: string };
      const at = monotonic();
      const word = [code ?? kind, reason].filter(Boolean).join(':');
      this.history.add({ type: 'refused', id, at, code: word, message });
      return { id, waited: at - asked, refused: { code: word, message } };
    }
    return { id, waited: monotonic() - asked, ...this.granted(id, claim, what.resumes !== undefined) };
  }

  /** Goes on as a reader, under an id of its own; undefined when the lease was lost. */
  async downgrade(id: string, name: string): Promise<string | undefined> {
    const claim = this.claim(id);
    if (!claim.downgrade) throw new Error(`${id} is no writer.`);
    this.sample(id);
    const reader = this.nextId();
    const asked = { process: this.process, name, kind: 'read', units: 1, follows: id } as const;
    const at = monotonic();
    this.history.add({ type: 'release', id, at });
    this.history.add({ type: 'acquire', id: reader, at, ...asked });
    this.claims.delete(id);
    try {
      this.granted(reader, await claim.downgrade());
      return reader;
    } catch (error) {
      const { code = '', message } = error as Error & { code?: string };
      this.history.add({ type: 'refused', id: reader, at: monotonic(), code, message });
      return undefined;
    }
  }

  /**
   * Works inside a hold, or inside an entry. It resolves also when the entry was refused, since its hold may be lost.
   * What `work` is given is the id of the entry.
   */
  async enter(of: string, by: EntryWay, work: (id: string) => Promise<void>): Promise<void> {
    const outer = this.entries.get(of) ?? this.claim(of);
    if (!outer.enter) throw new Error(`${of} cannot be entered.`);
    const id = this.nextId();
    const tell = (type: 'enter' | 'left', entered: Claim): void => {
      const at = monotonic(); // before it is asked, as for samples
      this.history.add({ type, id, of, at, held: entered.held() });
    };
    try {
      await outer.enter(by, async (entered) => {
        tell('enter', entered);
        this.entries.set(id, entered);
        await work(id);
        this.entries.delete(id);
        tell('left', entered);
      });
    } catch (error) {
      if (!String((error as { code?: unknown }).code).startsWith('LOCK_')) throw error;
    }
  }

  /** Leaves the id of the hold for whoever resumes it. */
  async note(id: string): Promise<void> {
    await this.claim(id).note?.(id);
    this.history.add({ type: 'noted', id, at: monotonic() });
  }

  /** Ends the hold here without giving it back; the text to resume it with, or undefined when that failed. */
  async handOver(id: string, ttl: number): Promise<string | undefined> {
    const claim = this.claim(id);
    this.sample(id);
    try {
      const text = await claim.handOver?.(ttl);
      // The lease is over when the text is given, and nobody can have resumed it yet.
      this.history.add({ type: 'release', id, at: monotonic() });
      this.claims.delete(id);
      return text;
    } catch (error) {
      if (!String((error as { code?: unknown }).code).startsWith('LOCK_')) throw error;
      return undefined;
    }
  }

  /** Goes on with a hold that was handed over, by this process or another one. */
  resume({ id: resumes, name, text, share }: Parcel, wait: number): Promise<Take> {
    const { kind = 'mutex', units = 1 } = share ?? {};
    return this.ask({ name, kind, units, resumes }, async () => {
      if (!this.contender.resume) throw new Error('It cannot be resumed.');
      return this.contender.resume(text, wait);
    });
  }

  private granted(id: string, claim: Claim, resumes = false): { fence?: number } {
    const at = monotonic();
    const held = claim.held(); // false when the process was stopped between the grant and this line
    const until = at + claim.remaining();
    const fence = claim.fence === undefined ? {} : { fence: claim.fence };
    const previous = resumes ? claim.previous?.() : undefined;
    const found = previous === undefined ? {} : { previous };
    this.history.add({ type: 'granted', id, at, until, held, ...fence, ...found });
    this.claims.set(id, claim);
    this.untils.set(id, { until, told: at, held, lost: 0 });
    claim.onLoss((reason) => this.lost(id, reason));
    return fence;
  }

  private nextId(): string {
    return `${this.process}-${(this.count += 1)}`;
  }

  claim(id: string): Claim {
    const claim = this.claims.get(id);
    if (!claim) throw new Error(`There is no claim ${id}.`);
    return claim;
  }

  async give(id: string): Promise<string> {
    const claim = this.claim(id);
    this.sample(id);
    this.history.add({ type: 'release', id, at: monotonic() });
    this.claims.delete(id);
    const outcome = await claim.release();
    this.history.add({ type: 'released', id, at: monotonic(), outcome });
    return outcome;
  }

  /** How late the loss was told after the last known deadline; undefined when it is not lost. */
  lateness(id: string): number | undefined {
    const one = this.untils.get(id);
    return one?.lost ? one.lost - one.until : undefined;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private lost(id: string, reason: string): void {
    const one = this.untils.get(id);
    if (!one || one.lost || !this.claims.has(id)) return;
    one.lost = monotonic();
    this.history.add({ type: 'lost', id, at: one.lost, reason });
  }

  /** Samples some of the claims, in turn: all of them each time would be all that the process does. */
  private sampleSome(): void {
    for (let count = 0; count < AT_A_TIME; count += 1) {
      const { value: id, done } = this.turn.next();
      if (done) {
        this.turn = this.claims.keys();
        return;
      }
      this.sample(id);
    }
  }

  /** Asks a claim whether it is held; writes down what changed, and a sign of it now and then. */
  private sample(id: string): void {
    const [claim, one] = [this.claims.get(id), this.untils.get(id)];
    if (!claim || !one) return;
    const at = monotonic(); // before it is asked: a process that is stopped in between claims nothing for later
    const held = claim.held();
    const until = at + (held ? claim.remaining() : 0);
    const moved = held && until > one.until + 1;
    if (held === one.held && !moved && at - one.told < 100) return;
    this.history.add({ type: 'sample', id, at, held, until });
    Object.assign(one, { told: at, held }, held ? { until: Math.max(one.until, until) } : {});
  }
}
