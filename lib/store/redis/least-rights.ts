/** The rights that locks need, in one place: the documentation, the doctor and the tests have them from here. */

/** What the rights depend on. */
export interface RightsFor {
  readonly namespace: string;
  readonly keyPrefix: string;
  /** Whether the servers are a cluster. */
  readonly cluster: boolean;
  /** Whether another database than 0 is used. */
  readonly otherDatabase: boolean;
  /** Whether the option clientTracking is on. */
  readonly clientTracking: boolean;
  /** Whether free names are taken without scripts, where that is allowed. */
  readonly native: boolean;
  /** Whether replicas have to acknowledge grants. */
  readonly durability: boolean;
}

const COMMANDS = [
  '+evalsha +eval +time +info +scan +subscribe +publish',
  '+get +set +mget +del +exists +append +persist +pexpireat',
  '+hget +hmget +hgetall +hset +hsetnx +hdel +hexists',
];
const IN_CLUSTERS = '+cluster|slots +restore +asking';
const IN_OTHER_DATABASES = '+select';
/** What client tracking needs in addition. */
export const FOR_TRACKING = '+client|tracking +client|caching +client|id';
/** What the native path needs in addition; without it, scripts do it all. */
const FOR_NATIVE = '+multi +exec +client|id +client|kill';
const FOR_DURABILITY = '+wait';

/** The command that gives a user the least rights for locks, in several lines. The password is the reader's. */
export function leastRightsRule(rights: RightsFor): string {
  const { namespace, keyPrefix, cluster, otherDatabase, clientTracking, native, durability } = rights;
  const [first = '', ...more] = COMMANDS;
  const literally = (text: string): string => text.replace(/[*?[\]\\]/g, '\\$&');
  return [
    'ACL SETUSER locks on ><password>',
    `resetkeys ~${literally(keyPrefix)}${namespace}:*`,
    `resetchannels &${namespace}:session:*`,
    `-@all ${first}`,
    ...more,
    ...(cluster ? [IN_CLUSTERS] : []),
    ...(otherDatabase ? [IN_OTHER_DATABASES] : []),
    ...(clientTracking ? [FOR_TRACKING] : []),
    ...(native ? [FOR_NATIVE] : []),
    ...(durability ? [FOR_DURABILITY] : []),
  ].join('\n  ');
}
