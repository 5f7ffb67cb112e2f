import type { Key } from '../placement.ts';
import { crc16 } from './hash/crc.ts';
import { narrowToTag, reader } from './hash/key-reader.ts';

/**
 * The slot of a key in Redis Cluster, 0 to 16383: CRC-16 of what is between the first `{` and the next `}`, or of the
 * whole key when one of them is missing or nothing is between them.
 *
 * From the specification of Redis Cluster; checked against `CLUSTER KEYSLOT` of Redis 7.0.15.
 *
 * @throws InvalidOptionError when it is no key
 */
export function redisSlot(key: Key): number {
  reader.read(key);
  narrowToTag(0x7b, 0x7d);
  return crc16(reader.bytes, reader.length) & 0x3fff;
}
