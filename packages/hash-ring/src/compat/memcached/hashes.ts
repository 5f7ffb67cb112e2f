import { murmur3 } from '../../hash/murmur3.ts';
import { crc16, crc32, crc32Memcached } from '../hash/crc.ts';
import { fnv1_32, fnv1_64, fnv1a_32, fnv1a_64 } from '../hash/fnv.ts';
import { hsieh } from '../hash/hsieh.ts';
import { lookup3, oneAtATime } from '../hash/jenkins.ts';
import type { ByteHash } from '../hash/key-reader.ts';
import { md5Word } from '../hash/md5.ts';
import { murmur2 } from '../hash/murmur2.ts';

type SharedHash =
  | 'one_at_a_time'
  | 'md5'
  | 'crc32'
  | 'fnv1_64'
  | 'fnv1a_64'
  | 'fnv1_32'
  | 'fnv1a_32'
  | 'murmur'
  | 'jenkins';

export type LibmemcachedHash = SharedHash | 'murmur3';
export type TwemproxyHash = SharedHash | 'crc16' | 'crc32a' | 'hsieh';

const shared: Readonly<Record<SharedHash, ByteHash>> = {
  one_at_a_time: oneAtATime,
  md5: md5Word,
  crc32: crc32Memcached,
  fnv1_64,
  fnv1a_64,
  fnv1_32,
  fnv1a_32,
  murmur: murmur2,
  jenkins: lookup3,
};

/** The hash functions of libmemcached as Debian builds it, which is without `hsieh`. */
export const libmemcachedHashes: Readonly<Record<LibmemcachedHash, ByteHash>> = {
  ...shared,
  murmur3: murmur3Seeded,
};

/** The hash functions of twemproxy, by the names of its configuration. */
export const twemproxyHashes: Readonly<Record<TwemproxyHash, ByteHash>> = {
  ...shared,
  crc16,
  crc32a: crc32,
  hsieh,
};

function murmur3Seeded(bytes: Uint8Array, length: number): number {
  return murmur3(bytes.subarray(0, length), Math.imul(0xdeadbeef, length));
}
