import { parseArgs } from 'node:util';
import { usage } from './command-error.js';

/** What can be done. */
export type Verb = 'ls' | 'show' | 'watch' | 'revoke' | 'doctor';

/** The command line, checked. */
export interface Command {
  readonly verb: Verb;
  /** The name of the lock; undefined for all of them. */
  readonly name: string | undefined;
  readonly json: boolean;
  readonly reason: string;
  readonly force: boolean;
  readonly yes: boolean;
  /** Seconds between two looks. */
  readonly every: number;
  /** How many looks. */
  readonly times: number;
  readonly place: Place;
}

/** Where the locks are, as far as the command line says. */
export interface Place {
  readonly config: string | undefined;
  readonly sentinel: string | undefined;
  readonly name: string | undefined;
  readonly cluster: string | undefined;
  readonly namespace: string | undefined;
  readonly tls: boolean;
}

export const HELP = `Usage: nestjs-distributed-lock <command> [options]

  ls                      all names that somebody holds or waits for
  show <name>             who holds a name, since when, and who waits for it
  watch [<name>]          the same, live, with waits and hand-offs a second; Ctrl-C ends it
  revoke <name> --reason <text>
                          takes a lock away: its holder learns of it, and the name is free when the holder gives it
                          back; with --force at once
  doctor                  whether locks work here, what to change, and the rights that they need

Where the locks are, one of:
  REDIS_URL               redis://host:6379 or rediss://…, in the environment
  --config <file>         JSON or a JavaScript module with the options of forRoot: { redis, namespace }
  --sentinel <host:port,…> --name <master>
  --cluster <host:port,…>
  --namespace <text>      as in the application; 'lock' by default
  --tls                   with --sentinel and --cluster
  Passwords come from REDIS_URL, the config file, or REDIS_USERNAME and REDIS_PASSWORD (for sentinels
  REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD), never from the command line.

Options:
  --json                  JSON, one object a line
  --reason <text>         revoke: why, for the log of the holder; 1 to 512 bytes
  --force                 revoke: free the name at once; only fences protect what the old holder still writes
  --yes                   revoke: do not ask
  --every <seconds>       watch: between two looks, 1 to 3600; 2 by default
  --times <count>         watch: how many looks; without end by default
  --help                  this text
  --                      what follows is a name, whatever it begins with: show -- -abc

Exit codes: 0 done, 1 not found or refused, 2 a wrong call, 3 the store cannot be reached, 4 anything unexpected, such
as a result that cannot be written. SIGINT and SIGTERM end a watch as it should end; they end every other command at
once, with 130 and 143.
`;

const OPTIONS = {
  config: { type: 'string' },
  sentinel: { type: 'string' },
  name: { type: 'string' },
  cluster: { type: 'string' },
  namespace: { type: 'string' },
  tls: { type: 'boolean' },
  json: { type: 'boolean' },
  reason: { type: 'string' },
  force: { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
  every: { type: 'string' },
  times: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

// Whether a verb takes a name, and its own options.
const VERBS: Readonly<
  Record<Verb, { readonly name: 'no' | 'yes' | 'maybe'; readonly own: readonly string[] }>
> = {
  ls: { name: 'no', own: [] },
  show: { name: 'yes', own: [] },
  watch: { name: 'maybe', own: ['every', 'times'] },
  revoke: { name: 'yes', own: ['reason', 'force', 'yes'] },
  doctor: { name: 'no', own: [] },
};
const OWN = new Set(Object.values(VERBS).flatMap(({ own }) => own));

/**
 * What the arguments ask for; undefined when they ask for help.
 *
 * @throws CommandError with a sentence on what is wrong; it never repeats a value that may be a secret
 */
export function commandIn(args: readonly string[]): Command | undefined {
  refuseSecrets(args);
  const { values, positionals } = parsed(args);
  if (values.help || (positionals.length === 0 && args.length === 0)) return undefined;
  const [verb, name, ...more] = positionals;
  if (verb === undefined || !Object.hasOwn(VERBS, verb))
    throw usage(
      `The command is one of ${Object.keys(VERBS).join(', ')}${verb === undefined ? '' : `; it was ${told(verb)}`}.`,
    );
  const { name: takesName, own } = VERBS[verb as Verb];
  if (takesName === 'yes' && name === undefined) throw usage(`${verb} takes the name of a lock.`);
  const most = takesName === 'no' ? 0 : 1;
  if (positionals.length - 1 > most)
    throw usage(
      `${verb} takes ${most === 0 ? 'no name' : 'one name'}; quote a name that has spaces. There is also ${told(more[0] ?? name ?? '')}.`,
    );
  for (const option of Object.keys(values))
    if (OWN.has(option) && !own.includes(option)) throw usage(`${verb} has no option --${option}.`);
  if (verb === 'revoke' && (values.reason === undefined || values.reason === ''))
    throw usage('revoke takes --reason <text>: the holder finds it in its error and in its log.');
  return {
    verb: verb as Verb,
    name,
    json: values.json ?? false,
    reason: values.reason ?? '',
    force: values.force ?? false,
    yes: values.yes ?? false,
    every: number('every', values.every, 2, 3_600),
    times: number('times', values.times, Infinity, 1_000_000),
    place: {
      config: values.config,
      sentinel: values.sentinel,
      name: values.name,
      cluster: values.cluster,
      namespace: values.namespace,
      tls: values.tls ?? false,
    },
  };
}

/** A word that is not wanted, unless there may be a password in it. */
function told(word: string): string {
  return WITH_USER.test(word) ? 'an address' : `'${word}'`;
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Its first sentence names the option, and not its value.
    throw usage(`${(error as Error).message.split('. ')[0]?.replace(/\.$/, '') ?? ''}.`);
  }
}

const SECRET_OPTION = /^(a|u|password|passwd|pass|auth|sentinel-?password|user(name)?|url|uri)$/i;
const WITH_USER = /:\/\/[^/]*@/;

/**
 * Everybody on the machine can read the arguments of a process. Names of locks and reasons are whatever they are: of names
 * only a URL of Redis is refused, and behind `--` nothing.
 *
 * @throws CommandError
 */
function refuseSecrets(args: readonly string[]): void {
  const how = { options: OPTIONS, allowPositionals: true, strict: false, tokens: true } as const;
  const { tokens } = parseArgs({ args: [...args], ...how });
  const end = tokens.find(({ kind }) => kind === 'option-terminator')?.index ?? Infinity;
  const secret = tokens.some((token) => {
    if (token.kind === 'option')
      return SECRET_OPTION.test(token.name) || (token.name !== 'reason' && WITH_USER.test(token.value ?? ''));
    if (token.kind !== 'positional' || token.index > end) return false;
    return /^rediss?:/i.test(token.value) && WITH_USER.test(token.value);
  });
  if (!secret) return;
  throw usage(
    'No password and no URL is taken from the command line, where every user of this machine can read it and the shell ' +
      'remembers it. Set REDIS_URL, or REDIS_PASSWORD, or write it into the file of --config.',
  );
}

function number(option: string, text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw usage(`The option --${option} takes a whole number from 1 to ${most}; it was '${text}'.`);
}
