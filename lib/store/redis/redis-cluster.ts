/** The masters of a cluster: which of them has a name, what each is asked over, and what happens when that changes. */
import type { Redis } from 'ioredis';
import type { Anchor, CancelTimer } from '../../base/clock.js';
import { LockStoreError } from '../../base/errors.js';
import { outsideContext } from '../../base/outside-context.js';
import type { ServerSample } from '../server-clock.js';
import type { ClusterRecipe, NodePlace } from './cluster-recipe.js';
import { isUnsettled, keyOf, redirectionIn, viewIn, type ClusterView } from './cluster-view.js';
import { keepAlive } from './keep-alive.js';
import { KeySlots, SLOTS } from './key-slots.js';
import type { ScriptName } from './run-script.js';
import { NativePath } from './native-path.js';
import { RedisConnection, serverIn } from './redis-connection.js';
import { isDenied, isLost, isNoCluster, isUnsent, RedisFailures } from './redis-failures.js';
import type { RedisServers, ServersListener, ServersSettings } from './redis-servers.js';
import type { ScriptCall } from './script-batch.js';

// A view is asked for as often as this at most, and another node is asked when one has not answered for so long.
const REFRESH_PAUSE = 100;
// As often, while a node is away: whoever waits for a notice asks for nothing, and must hear who has its place.
const AWAY_PAUSE = 200;
const STAGGER = 250;
const PATIENCE = 1_000;
// A call that is sent from node to node: at once the first times, then later each time.
const AT_ONCE = 2;
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 100;
// A node without slots is kept for as long as keys are on their way to it, or the news that it has slots.
const KEPT_FOR_KEYS = 10_000;
// From so many nodes on, what is published to all of them costs more than the hand-off itself.
const MANY_NODES = 20;

const PLACES = [0, 1] as const;

/** One node that was asked for names. */
interface Node {
  readonly place: NodePlace;
  readonly key: string;
  readonly connection: RedisConnection;
  /** What is to be said of the names that it has got, as soon as it is up. */
  news: { readonly what: string; readonly slots: ReadonlySet<number> }[];
  /** When a call was last sent to it because another node said so: the view need not know yet what it has. */
  askedAt: number;
  /** Nothing is asked over its connection any more. */
  left: boolean;
}

/** Somebody who waits until the node of a name is up. */
interface Waiter {
  readonly name: string;
  /** The node that is being connected to for this one. */
  node: Node | undefined;
  settle(outcome: RedisConnection | LockStoreError): void;
}

/**
 * A connection to each master of a cluster, made when it is needed. Each has its own deadlines, its own sample of its
 * server's clock and its own resets, so that one that is silent delays only the names that it has. What a node does not
 * serve is sent to the node that does, until its time is over: the same bytes, whose id and `notAfter` make any repeat
 * harmless.
 */
export class RedisCluster implements RedisServers {
  readonly address: string;
  readonly noticesFromAny = true;
  changes = 0;
  private readonly slots: KeySlots;
  private readonly failures: RedisFailures;
  private readonly nodes = new Map<string, Node>();
  private readonly waiters = new Set<Waiter>();
  private view: ClusterView | undefined;
  private viewText = '';
  private owners: (Node | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  /** Who had each slot last: the node that gets it may do so after a view in which nobody had it. */
  private readonly lastOwners: (Node | undefined)[] = [...this.owners];
  /** What nodes said about slots since the view was asked for. */
  private readonly moved = new Map<number, Node>();
  private refreshing = false;
  private refreshAgain = false;
  private refreshedAt = -Infinity;
  private cancelRefresh: CancelTimer | undefined;
  /** The node that knows best what has changed. */
  private witness: Node | undefined;
  /** The node that is asked last: it does not serve, and may have been left behind. */
  private doubted: Node | undefined;
  private trouble = 'no connection yet';
  /** Why nobody can be served, until somebody changes the password or the address. */
  private refusal: LockStoreError | undefined;
  /** The nodes that the two connections for notices lead to. */
  private readonly noticesFrom: [string | undefined, string | undefined] = [undefined, undefined];
  private closed = false;
  private keepsAlive = true;
  /** While no node can be connected to there is no socket that would keep the process alive for those who wait. */
  private anchor: Anchor | undefined;

  constructor(
    private readonly recipe: ClusterRecipe,
    private readonly settings: ServersSettings,
    private readonly on: ServersListener,
  ) {
    this.address = recipe.address;
    this.slots = new KeySlots(settings.prefix);
    this.failures = new RedisFailures(recipe.address, recipe.secrets);
  }

  connectionOf(name: string): RedisConnection | undefined {
    return this.nodeOf(name)?.connection;
  }

  ready(name: string, timeout: number): Promise<RedisConnection> {
    const present = this.connectionOf(name);
    if (present?.up) return Promise.resolve(present);
    if (this.closed) return Promise.reject(this.closedError());
    const { clock } = this.settings;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        name,
        node: undefined,
        settle: (outcome) => {
          cancel();
          this.waiters.delete(waiter);
          this.anchorWaiters();
          if (outcome instanceof LockStoreError) reject(outcome);
          else resolve(outcome);
        },
      };
      const giveUp = (): void => {
        if (this.waiters.has(waiter)) waiter.settle(this.unreachable(name, timeout));
      };
      // After a turn of the event loop: when it was late, what makes the connection may wait in the socket.
      const cancel = clock.after(timeout, () => clock.breathe(giveUp));
      this.waiters.add(waiter);
      this.anchorWaiters();
      this.serve(waiter, timeout);
      if (!this.nodeOf(name)) this.refresh();
    });
  }

  async all(timeout: number): Promise<readonly RedisConnection[]> {
    const { clock } = this.settings;
    const until = clock.now() + timeout;
    const left = (): number => Math.max(1, until - clock.now());
    for (;;) {
      if (!this.view) await this.ready('', left()); // any name: its node is known as soon as all are
      const masters = [...new Set(this.owners.filter((node) => node !== undefined))];
      const ready = await Promise.allSettled(masters.map(({ connection }) => connection.ready(left())));
      const failure = ready.find((one) => one.status === 'rejected');
      if (!failure) return masters.map(({ connection }) => connection);
      // Another node takes the place of one that is no master any more: the next view says which.
      const changes = masters.some((node) => node.left) && clock.now() < until && !this.closed;
      if (!changes) throw failure.reason;
      this.refresh();
      await new Promise<void>((resolve) => clock.after(REFRESH_PAUSE, resolve));
    }
  }

  sampleOf(server: string): ServerSample | undefined {
    if (server === '') return undefined;
    for (const { connection } of this.nodes.values())
      if (serverIn(connection.runId) === server) return connection.sample;
    return undefined;
  }

  mayPublish(): boolean {
    return true;
  }

  forgetSample(): void {
    // A grant names the server that pushed it, by whatever way it comes.
  }

  openForNotices(place: 0 | 1 = 0): Redis {
    const { noticesFrom, recipe, settings } = this;
    const [before, other] = [noticesFrom[place], noticesFrom[1 - place]];
    const up = [...this.nodes.values()].filter(({ connection }) => connection.up);
    const known = [...(this.view?.nodes ?? [])].map(([key, at]) => ({ key, place: at }));
    const free = (nodes: readonly { key: string; place: NodePlace }[]): NodePlace[] =>
      nodes.filter(({ key }) => key !== before && key !== other).map((node) => node.place);
    // Those that answer first, then any, replicas among them; with one node only, that one.
    const choices = [free(up), free(known), up.map((node) => node.place), recipe.seeds];
    const choice = choices.find(({ length }) => length > 0) as readonly NodePlace[];
    const chosen = choice[Math.floor(Math.random() * choice.length)] as NodePlace;
    noticesFrom[place] = keyOf(chosen);
    return recipe.open(chosen, settings.connectionName, false);
  }

  get known(): boolean {
    return this.view !== undefined;
  }

  get warnings(): readonly string[] {
    const price = priceOfNodes(this.address, this.view?.nodes.size ?? 0);
    return price === undefined ? [] : [price];
  }

  get awaited(): boolean {
    if (this.waiters.size > 0) return true;
    for (const { connection } of this.nodes.values()) if (connection.awaited) return true;
    return false;
  }

  keepAlive(on: boolean): void {
    this.keepsAlive = on;
    this.anchorWaiters();
    for (const { connection } of this.nodes.values()) connection.keepAlive(on);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancelRefresh?.();
    for (const waiter of [...this.waiters]) waiter.settle(this.closedError());
    this.anchor?.close();
    for (const { connection } of this.nodes.values()) connection.close();
  }

  /** Keeps the process alive as long as somebody waits, unless it is not to be kept alive. */
  private anchorWaiters(): void {
    if (this.keepsAlive && this.waiters.size > 0) (this.anchor ??= this.settings.clock.anchor()).ref();
    else this.anchor?.unref();
  }

  private nodeOf(name: string): Node | undefined {
    const slot = this.slots.of(name);
    const node = (this.moved.size > 0 ? this.moved.get(slot) : undefined) ?? this.owners[slot];
    return node?.left ? undefined : node;
  }

  private nodeAt(place: NodePlace): Node {
    const key = keyOf(place);
    const known = this.nodes.get(key);
    if (known) return known;
    const { clock, connectionName, termsFor, native } = this.settings;
    const address = this.recipe.addressOf(place);
    const isIts = (name: string): boolean => this.nodeOf(name) === node;
    const connection = new RedisConnection(
      outsideContext(() => this.recipe.open(place, connectionName)),
      address,
      clock,
      {
        moved: (what) => this.on.moved(what, isIts),
        up: () => this.nodeUp(node),
        lost: (why) => {
          this.refresh();
          this.on.lost(address, why);
        },
        back: (after) => this.on.back(address, after),
      },
      termsFor,
      native ? new NativePath() : undefined,
      {
        redirect: (script, call, error, repeatable) => this.redirect(node, script, call, error, repeatable),
        demoted: () => this.demoted(node),
        silent: (dead) => this.silent(node, dead),
        unreached: () => this.refresh(),
      },
    );
    connection.keepAlive(this.keepsAlive);
    const node: Node = { place, key, connection, news: [], askedAt: -Infinity, left: false };
    this.nodes.set(key, node);
    return node;
  }

  private nodeUp(node: Node): void {
    this.tellNews(node);
    for (const waiter of [...this.waiters]) this.serve(waiter, PATIENCE);
    this.on.up((name) => this.nodeOf(name) === node);
  }

  /** Says that the node has got names of another one. */
  private tellNews(node: Node): void {
    const news = node.news;
    node.news = [];
    for (const { what, slots } of news) {
      const concerns = (name: string): boolean => slots.has(this.slots.of(name));
      this.on.moved(what, concerns); // who holds asks before those who wait
      this.on.up(concerns);
    }
  }

  /** It copies another node now: a master is not found there again before the view says so. */
  private demoted(node: Node): void {
    this.forget(node);
    this.refresh();
  }

  private silent(node: Node, dead: boolean): void {
    this.refresh();
    if (!dead) return; // it may be slow: what it has to tell comes late
    for (const place of PLACES) if (this.noticesFrom[place] === node.key) this.on.deaf(place);
  }

  /** Ends the connection to a node; what is under way over it goes to the node that has the names now. */
  private forget(node: Node): void {
    if (this.nodes.get(node.key) === node) this.nodes.delete(node.key);
    for (const [slot, other] of this.moved) if (other === node) this.moved.delete(slot);
    node.left = true; // the next view says who has its names
    this.viewText = '';
    node.connection.close();
  }

  private serve(waiter: Waiter, timeout: number): void {
    const node = this.nodeOf(waiter.name);
    if (!node) {
      if (this.refusal) waiter.settle(this.refusal);
      return;
    }
    const { connection } = node;
    if (connection.up) return waiter.settle(connection);
    if (waiter.node === node) return;
    waiter.node = node;
    connection.ready(timeout).catch((error: LockStoreError) => {
      const isOf = this.waiters.has(waiter) && this.nodeOf(waiter.name) === node;
      if (isOf && error.refused) waiter.settle(error);
      else if (waiter.node === node) waiter.node = undefined;
    });
  }

  private redirect(
    from: Node,
    script: ScriptName,
    call: ScriptCall,
    error: Error,
    repeatable: boolean,
  ): boolean {
    const { command } = call;
    const left = command.deadline - this.settings.clock.now();
    if (this.closed || command.tooLate || left <= 0) return false;
    const redirection = redirectionIn(error, from.place, this.recipe);
    const lost = isUnsent(error) || (repeatable && isLost(error));
    if (!redirection && !lost && !isUnsettled(error)) return false;
    from.connection.handOver(command);
    // Until the news of that arrives, the call would be sent over it again and again in one turn of the event loop.
    if (lost) from.connection.isGone();
    const times = (call.redirections = (call.redirections ?? 0) + 1);
    call.asking = redirection?.once ?? false;
    let to: Node | undefined;
    if (redirection) {
      to = this.nodeAt(redirection.place);
      to.askedAt = this.settings.clock.now();
      if (!redirection.once) this.learnMove(redirection.slot, to);
    } else {
      from.connection.doubt();
      this.doubted = from;
      this.refresh();
    }
    const send = (): void => this.sendAgain(script, call, call.asking ? to : undefined);
    const atOnce = lost || (redirection && times <= AT_ONCE);
    if (atOnce) send();
    else this.settings.clock.after(Math.min(pauseAfter(times), left), send);
    return true;
  }

  private learnMove(slot: number, to: Node): void {
    const isNews = this.owners[slot] !== to && this.moved.get(slot) !== to;
    if (isNews) {
      this.moved.set(slot, to);
      this.changes += 1;
    }
    this.witness = to;
    this.refresh();
  }

  /** Sends a call to the node that has its name now, or to the one where its key is asked for once. */
  private sendAgain(script: ScriptName, call: ScriptCall, to: Node | undefined): void {
    const { command, key } = call;
    const left = Math.max(1, command.deadline - this.settings.clock.now());
    const name = key.slice(this.settings.prefix.length);
    const present = to?.connection ?? this.connectionOf(name);
    if (present?.up) return present.adopt(script, call);
    const ready = to ? to.connection.ready(left).then(() => to.connection) : this.ready(name, left);
    ready.then(
      (connection) => connection.adopt(script, call),
      (error: LockStoreError) => command.fail(error),
    );
  }

  /** Asks a node which nodes have which slots; soon, if it was asked a moment ago. */
  private refresh(): void {
    if (this.closed) return;
    if (this.refreshing) return void (this.refreshAgain = true);
    const { clock } = this.settings;
    this.refreshIn(this.refreshedAt + REFRESH_PAUSE - clock.now());
  }

  private refreshIn(ms: number): void {
    this.cancelRefresh?.();
    if (ms <= 0) return void this.learn();
    this.cancelRefresh = this.settings.clock.after(ms, () => void this.learn());
  }

  private async learn(): Promise<void> {
    if (this.refreshing || this.closed) return;
    this.refreshing = true;
    this.refreshAgain = false;
    const { moved } = this;
    const before = new Map(moved);
    try {
      const { reply, place } = await outsideContext(() => this.askForView());
      if (this.closed) return;
      this.refusal = undefined;
      // What was said while the answer was under way may be younger than it.
      for (const [slot, node] of before) if (moved.get(slot) === node) moved.delete(slot);
      this.adopt(reply, place);
    } catch (error) {
      this.hearTrouble(error as Error);
    } finally {
      this.refreshing = false;
      this.refreshedAt = this.settings.clock.now();
      this.witness = this.doubted = undefined;
      if (!this.closed) {
        for (const waiter of [...this.waiters]) this.serve(waiter, PATIENCE);
        const soon = this.refreshAgain || this.waiters.size > 0;
        const away = [...this.nodes.values()].some(({ connection }) => connection.away);
        this.refreshIn(soon ? REFRESH_PAUSE : away ? AWAY_PAUSE : this.recipe.refreshEvery);
      }
    }
  }

  private hearTrouble(error: Error): void {
    this.failures.hide(this.recipe.secrets);
    this.trouble = this.failures.wordsOf(error);
    this.refusal = isDenied(error)
      ? this.failures.denied(this.trouble)
      : isNoCluster(error.message)
        ? this.failures.noCluster()
        : undefined;
  }

  /** The first answer of a node: those that answered last are asked first, each a moment after the one before. */
  private askForView(): Promise<{ reply: unknown; place: NodePlace }> {
    const { witness, recipe, settings } = this;
    const up = [...this.nodes.values()]
      .filter(({ connection }) => connection.up)
      .sort((a, b) => heardAt(b) - heardAt(a));
    const first = witness?.connection.up ? [witness] : [];
    const last = this.doubted?.connection.up ? [this.doubted] : [];
    const connected = [...new Set([...first, ...up.filter((node) => node !== this.doubted)])];
    const seeds = recipe.seeds.filter((seed) => !up.some(({ key }) => key === keyOf(seed)));
    const asks: (() => Promise<{ reply: unknown; place: NodePlace }>)[] = [
      ...connected.map((node) => () => this.askNode(node)),
      ...seeds.map((seed) => () => this.askPlace(seed)),
      ...this.unconnected().map((place) => () => this.askPlace(place)),
      ...last.map((node) => () => this.askNode(node)),
    ];
    return new Promise((resolve, reject) => {
      let [open, next, over] = [0, 0, false];
      let cancel: CancelTimer | undefined;
      const ask = (): void => {
        cancel?.();
        const one = asks[next];
        if (over || !one) return;
        next += 1;
        open += 1;
        cancel = settings.clock.after(STAGGER, ask);
        one().then(
          (answer) => {
            over = true;
            cancel?.();
            resolve(answer);
          },
          (error: Error) => {
            open -= 1;
            if (over) return;
            if (next < asks.length) return ask();
            cancel?.();
            if (open === 0) reject(error);
          },
        );
      };
      ask();
    });
  }

  /** Nodes of the last view that are asked when all others are silent. */
  private unconnected(): NodePlace[] {
    const seeds = new Set(this.recipe.seeds.map(keyOf));
    return [...(this.view?.masters ?? [])]
      .filter(([key]) => !seeds.has(key) && !this.nodes.get(key)?.connection.up)
      .map(([, place]) => place);
  }

  private async askNode({ connection, place }: Node): Promise<{ reply: unknown; place: NodePlace }> {
    const reply = await connection.command('CLUSTER SLOTS', PATIENCE, (client) => client.cluster('SLOTS'));
    return viewOf(reply, place);
  }

  /** Over a connection for this one question: the node may be a replica. */
  private async askPlace(seed: NodePlace): Promise<{ reply: unknown; place: NodePlace }> {
    const place = await this.recipe.lookedUp(seed);
    const client = this.recipe.open(place, this.settings.connectionName, false);
    client.on('connect', () => keepAlive(client, this.keepsAlive));
    let said: Error | undefined;
    client.on('error', (error: Error) => (said = error));
    const cancel = this.settings.clock.after(PATIENCE, () => {
      said ??= new Error(`${keyOf(place)} did not answer`);
      client.disconnect();
    });
    try {
      await client.connect();
      return viewOf(await client.cluster('SLOTS'), place);
    } catch (error) {
      throw said ?? error;
    } finally {
      cancel();
      client.disconnect();
    }
  }

  private adopt(reply: unknown, asked: NodePlace): void {
    const text = JSON.stringify(reply);
    // A migration that is given up changes no view: the node that was asked for its keys is left all the same.
    if (this.view && text === this.viewText && this.moved.size === 0) return this.leaveOthers(this.view);
    const view = viewIn(reply, asked, this.recipe);
    const known = this.view !== undefined;
    this.view = view;
    this.viewText = text;
    const taken = new Map<Node, Map<Node, Set<number>>>();
    const owners = view.masterOf.map((place) => place && this.nodeAt(place));
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const [before, now] = [this.lastOwners[slot], owners[slot]];
      if (!now) continue;
      this.lastOwners[slot] = now;
      if (!before || before === now) continue;
      this.changes += 1;
      // Between two masters the keys went with the slot. In place of a master that is none any more, its last writes
      // may be missing.
      if (view.masters.has(before.key)) continue;
      const from = taken.get(now) ?? new Map<Node, Set<number>>();
      taken.set(now, from);
      from.set(before, (from.get(before) ?? new Set<number>()).add(slot));
    }
    this.owners = owners;
    if (known) for (const [now, from] of taken) this.announce(now, from);
    this.leaveOthers(view);
    for (const place of PLACES) {
      const from = this.noticesFrom[place];
      if (from !== undefined && !view.nodes.has(from)) this.on.deaf(place);
    }
  }

  private announce(now: Node, from: ReadonlyMap<Node, ReadonlySet<number>>): void {
    for (const [before, slots] of from) {
      const what = `Redis at ${now.connection.address} has the names of ${before.connection.address} now`;
      now.news.push({ what, slots });
    }
    if (now.connection.up) this.tellNews(now);
    else now.connection.ready(PATIENCE).catch(() => undefined); // it is told when it is up
  }

  /** Ends the connections to nodes that have no slots any more. */
  private leaveOthers(view: ClusterView): void {
    const now = this.settings.clock.now();
    for (const node of [...this.nodes.values()]) {
      const wanted = view.masters.has(node.key) || [...this.moved.values()].includes(node);
      if (!wanted && now - node.askedAt > KEPT_FOR_KEYS) this.forget(node);
    }
  }

  private unreachable(name: string, timeout: number): LockStoreError {
    const node = this.nodeOf(name);
    const why = node
      ? `${keyOf(node.place)}: ${node.connection.trouble}`
      : this.view
        ? 'no node has the slot of this name'
        : this.trouble;
    return this.failures.unreachable(why, timeout);
  }

  private closedError(): LockStoreError {
    return new LockStoreError(`The connections to the ${this.address} are closed.`);
  }
}

/** @throws Error for that of a node which knows of no slots: it is no part of the cluster any more, or not yet */
function viewOf(reply: unknown, place: NodePlace): { reply: unknown; place: NodePlace } {
  if (Array.isArray(reply) && reply.length > 0) return { reply, place };
  throw new Error(`${keyOf(place)} knows of no slots`);
}

/** What an operator should know about a cluster of so many nodes; undefined when it is few. */
export function priceOfNodes(address: string, count: number): string | undefined {
  if (count <= MANY_NODES) return undefined;
  return (
    `The ${address} has ${count} nodes, and a message for a process goes to all of them. A hand-off between processes ` +
    `takes three messages: it costs its master about ${Math.round(count * 3 * 1.7)} µs more, and every node 9 to 14 µs. ` +
    'Keep locks in a smaller cluster, or on a server of their own, if names change hands often.'
  );
}

function heardAt({ connection }: Node): number {
  return Number.isFinite(connection.lastHeard) ? connection.lastHeard : 0;
}

function pauseAfter(times: number): number {
  return Math.min(FIRST_PAUSE * 2 ** Math.min(times - 1, 6), LONGEST_PAUSE);
}
