import type { Claim, ClaimTerms, Contender, EntryWay } from './contender.js';
import { monotonic, type HistoryFile } from './history.js';

export interface Take {
  readonly id: string;
  readonly waited: number;
  readonly fence?: number;
  readonly refused?: { code: string; message: string };
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

  async take(name: string, terms: ClaimTerms): Promise<Take> {
    const id = this.nextId();
    const asked = monotonic();
    const { kind = 'mutex', units = 1 } = terms.share ?? {};
    this.history.add({ type: 'acquire', id, process: this.process, name, at: asked, kind, units });
    let claim: Claim;
    try {
      claim = await this.contender.acquire(name, terms);
    } catch (error) {
      const { code, message, reason, name: kind } = error as Error & { code?: string; reason?: string };
      const at = monotonic();
      const word = [code ?? kind, reason].filter(Boolean).join(':');
      this.history.add({ type: 'refused', id, at, code: word, message });
      return { id, waited: at - asked, refused: { code: word, message } };
    }
    return { id, waited: monotonic() - asked, ...this.granted(id, claim) };
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

  private granted(id: string, claim: Claim): { fence?: number } {
    const at = monotonic();
    const held = claim.held(); // false when the process was stopped between the grant and this line
    const until = at + claim.remaining();
    const fence = claim.fence === undefined ? {} : { fence: claim.fence };
    this.history.add({ type: 'granted', id, at, until, held, ...fence });
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
