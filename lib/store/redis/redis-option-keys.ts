/** How the value of an option is written in the query of a URL; values of `other` cannot be written there. */
export type OptionKind = 'number' | 'boolean' | 'text' | 'tls' | 'other';

const NUMBERS =
  'port family db keepAlive connectTimeout disconnectTimeout commandTimeout socketTimeout blockingTimeout ' +
  'blockingTimeoutGrace maxRetriesPerRequest maxLoadingRetryTime sentinelMaxConnections sentinelCommandTimeout protocol';
const BOOLEANS =
  'noDelay disableClientInfo autoResubscribe autoResendUnfulfilledCommands readOnly stringNumbers monitor ' +
  'enableAutoPipelining offlineQueue commandQueue enableOfflineQueue enableReadyCheck lazyConnect ' +
  'showFriendlyErrorStack enableTLSForSentinelMode updateSentinels failoverDetector dropBufferSupport';
const TEXTS =
  'host path username password keyPrefix connectionName clientInfoTag name role sentinelUsername sentinelPassword ' +
  'replyMapping';
const OTHERS =
  'Connector retryStrategy reconnectOnError autoPipeliningIgnoredCommands scripts himportFieldsets sentinels ' +
  'sentinelRetryStrategy sentinelReconnectStrategy preferredSlaves sentinelTLS natMap';

/** The options that ioredis 5 and 6 know for one server, with or without Sentinel. */
const KINDS: ReadonlyMap<string, OptionKind> = new Map<string, OptionKind>([
  ...NUMBERS.split(' ').map((key) => [key, 'number'] as const),
  ...BOOLEANS.split(' ').map((key) => [key, 'boolean'] as const),
  ...TEXTS.split(' ').map((key) => [key, 'text'] as const),
  ...OTHERS.split(' ').map((key) => [key, 'other'] as const),
  ['tls', 'tls'],
]);

/** Undefined for a key that ioredis does not know. */
export function kindOfOption(key: string): OptionKind | undefined {
  return KINDS.get(key);
}
