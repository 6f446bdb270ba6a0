/** How many slots a cluster divides all keys into. */
export const SLOTS = 16_384;

// CRC16 as the specification of Redis Cluster has it (XMODEM).
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** In which slot of a cluster each name has its key: of a key with a part in braces, that part alone decides. */
export class KeySlots {
  private readonly ofPrefix: number;
  private readonly braced: boolean;

  constructor(private readonly prefix: string) {
    this.ofPrefix = crc16(prefix);
    this.braced = prefix.includes('{');
  }

  of(name: string): number {
    if (!this.braced && !name.includes('{')) return crc16(name, this.ofPrefix) % SLOTS;
    return crc16(hashedPartOf(this.prefix + name)) % SLOTS;
  }
}

/** What decides on the slot of a key. */
function hashedPartOf(key: string): string {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** Of the bytes of a text in UTF-8, after others whose checksum is `crc`. */
function crc16(text: string, crc = 0): number {
  let sum = crc;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 127) return crc16OfBytes(Buffer.from(text), crc);
    sum = ((sum << 8) & 0xffff) ^ (TABLE[(sum >> 8) ^ code] as number);
  }
  return sum;
}

function crc16OfBytes(bytes: Uint8Array, crc: number): number {
  let sum = crc;
  for (const byte of bytes) sum = ((sum << 8) & 0xffff) ^ (TABLE[(sum >> 8) ^ byte] as number);
  return sum;
}
