import type { ClusterRecipe, NodePlace } from './cluster-recipe.js';
import { codeOf } from './redis-failures.js';
import { SLOTS } from './key-slots.js';

/** Which nodes of a cluster have which slots, as one of them says. */
export interface ClusterView {
  /** The master of each slot. */
  readonly masterOf: readonly (NodePlace | undefined)[];
  /** All masters that have slots, by their keys. */
  readonly masters: ReadonlyMap<string, NodePlace>;
  /** Masters and replicas. */
  readonly nodes: ReadonlyMap<string, NodePlace>;
}

type Entry = readonly [
  first: number,
  last: number,
  ...nodes: (readonly [host: string | null, port: number, id?: string, more?: unknown])[],
];

// What a node is called that has no name, where the cluster prefers names to addresses.
const NAMELESS = '?';

/** The view in an answer to CLUSTER SLOTS; a node that is said to be at no address is the one `asked`. */
export function viewIn(slots: unknown, asked: NodePlace, recipe: ClusterRecipe): ClusterView {
  const masterOf: (NodePlace | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  const masters = new Map<string, NodePlace>();
  const nodes = new Map<string, NodePlace>();
  for (const [first, last, ...members] of slots as readonly Entry[]) {
    const places = members.map(([name, port, , more]) => {
      const host = name === NAMELESS ? ipIn(more) : name || asked.host;
      return host === undefined ? undefined : recipe.placeOf(host, port);
    });
    const [master] = places;
    for (const place of places) if (place) nodes.set(keyOf(place), place);
    if (!master) continue;
    masters.set(keyOf(master), master);
    masterOf.fill(master, first, last + 1);
  }
  return { masterOf, masters, nodes };
}

/** The address among what else is said of a node: fields and values by turns. */
function ipIn(more: unknown): string | undefined {
  const fields = Array.isArray(more) ? (more as readonly unknown[]) : Object.entries(more ?? {}).flat();
  const at = fields.indexOf('ip');
  return at < 0 ? undefined : String(fields[at + 1]);
}

/** What a node is known by. */
export function keyOf({ host, port }: NodePlace): string {
  return `${host}:${port}`;
}

/** Where a node says that a key is to be looked for instead. */
export interface Redirection {
  /** Only this once, and with ASKING before: the slot is on its way there. */
  readonly once: boolean;
  readonly slot: number;
  readonly place: NodePlace;
}

/** The redirection in an error of the node that was `asked`; undefined in other errors. */
export function redirectionIn(
  error: Error,
  asked: NodePlace,
  recipe: ClusterRecipe,
): Redirection | undefined {
  const [, kind, slot, host, port] = /^(MOVED|ASK) (\d+) (\S*):(\d+)/.exec(error.message) ?? [];
  if (kind === undefined || host === NAMELESS) return undefined;
  const place = recipe.placeOf(host || asked.host, Number(port));
  return { once: kind === 'ASK', slot: Number(slot), place };
}

// Which node it is, the next view says.
const TO_THE_NAMELESS = /^(?:MOVED|ASK) \d+ \?:/;
// A node whose slot is on its way refuses to write a key that the script itself has deleted.
const DELETED_ON_ITS_WAY = /script attempted to access a non local key/i;

/** Whether a node could not serve a call now, while a cluster changes, and has at most deleted a record that said nothing. */
export function isUnsettled(error: Error): boolean {
  return (
    /^(TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN)$/.test(codeOf(error) ?? '') ||
    TO_THE_NAMELESS.test(error.message) ||
    DELETED_ON_ITS_WAY.test(error.message)
  );
}
