import type { SrvRecord } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import {
  backgroundClock,
  type Clock,
  describe,
  InvalidOptionError,
  integerOption,
  knownOptions,
  numberOption,
  type Random,
} from '@ashlar/core';

import { oneOf } from '../../util/option-checks.ts';

export interface AddressRecord {
  readonly address: string;
  /** In seconds. */
  readonly ttl: number;
}

/** What is needed of a `Resolver` of `node:dns/promises`. */
export interface ResolverLike {
  resolve4(name: string, options: { readonly ttl: true }): Promise<readonly AddressRecord[]>;
  resolve6(name: string, options: { readonly ttl: true }): Promise<readonly AddressRecord[]>;
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
  /** Gives up what is under way. */
  cancel?(): void;
}

export type RecordType = 'A' | 'AAAA' | 'A+AAAA' | 'SRV';

interface CommonOptions {
  /** Of the endpoints' urls; `http` if absent. */
  readonly protocol?: 'http' | 'https';
  /** The longest pause between two questions; 30 000 if absent. It is shorter where a record's TTL is. */
  readonly intervalMs?: number;
  /** The shortest; 1 000 if absent. */
  readonly minIntervalMs?: number;
  /** How much longer than that a pause may be, by chance, so that clients do not ask in step; a tenth (0.1) if absent. */
  readonly jitter?: number;
  /** How long the answers to all questions of one round may take; 5 000 if absent. */
  readonly timeoutMs?: number;
  /** Who is asked; a new `Resolver` of `node:dns/promises`, with the servers of this machine, if absent. */
  readonly resolver?: ResolverLike;
  /** Ends the discovery. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Where the records say the address only. */
export interface AddressOptions extends CommonOptions {
  /** `A` if absent. */
  readonly type?: 'A' | 'AAAA' | 'A+AAAA';
  readonly port: number;
}

/** Where they say the port too. */
export interface SrvOptions extends CommonOptions {
  readonly type: 'SRV';
}

export type DnsDiscoveryOptions = AddressOptions | SrvOptions;

export interface DnsSettings {
  readonly name: string;
  readonly type: RecordType;
  /** 0 where the records say it. */
  readonly port: number;
  readonly protocol: 'http' | 'https';
  readonly intervalMs: number;
  readonly minIntervalMs: number;
  readonly jitter: number;
  readonly timeoutMs: number;
  readonly resolver: ResolverLike;
  readonly clock: Clock;
  readonly random: Random;
}

const names = [
  'type',
  'port',
  'protocol',
  'intervalMs',
  'minIntervalMs',
  'jitter',
  'timeoutMs',
  'resolver',
  'signal',
  'clock',
  'random',
];

/** @throws InvalidOptionError */
export function dnsSettings(name: string, options: DnsDiscoveryOptions): DnsSettings {
  knownOptions('dnsDiscovery', options, names);
  if (typeof name !== 'string' || name === '') {
    throw new InvalidOptionError('name', `\`name\` must be a name of the DNS, got ${describe(name)}`);
  }
  const { type = 'A', protocol = 'http', clock = backgroundClock, random = Math.random } = options;
  const { intervalMs = 30_000, jitter = 0.1, timeoutMs = 5_000, resolver = new Resolver() } = options;
  const { minIntervalMs = Math.min(1_000, intervalMs) } = options;
  return {
    name,
    type: oneOf('type', type, ['A', 'AAAA', 'A+AAAA', 'SRV']),
    port: portOf(type, (options as Partial<AddressOptions>).port),
    protocol: oneOf('protocol', protocol, ['http', 'https']),
    intervalMs: numberOption('intervalMs', intervalMs, { above: 0 }),
    minIntervalMs: numberOption('minIntervalMs', minIntervalMs, { above: 0, max: intervalMs }),
    jitter: numberOption('jitter', jitter, { min: 0 }),
    timeoutMs: numberOption('timeoutMs', timeoutMs, { above: 0 }),
    resolver,
    clock,
    random,
  };
}

function portOf(type: RecordType, port: number | undefined): number {
  if (type !== 'SRV') return integerOption('port', port, { min: 1, max: 65_535 });
  if (port === undefined) return 0;
  throw new InvalidOptionError('port', 'SRV records say the port themselves: leave out `port`');
}
