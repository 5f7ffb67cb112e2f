import { Resolver as CallbackResolver, type SrvRecord } from 'node:dns';
import {
  backgroundClock,
  type Clock,
  clock,
  durationMs,
  InvalidOptionError,
  integer,
  number,
  objectWith,
  oneOf,
  type Random,
  type Rule,
  type RulesFor,
  random,
  readOptions,
  refused,
  required,
  signal,
} from '@ashlar/core';

export interface AddressRecord {
  readonly address: string;
  /** In seconds. */
  readonly ttl: number;
}

/** The part of a `Resolver` of `node:dns/promises` that a discovery uses. */
export interface ResolverLike {
  resolve4(name: string, options: { readonly ttl: true }): Promise<readonly AddressRecord[]>;
  resolve6(name: string, options: { readonly ttl: true }): Promise<readonly AddressRecord[]>;
  resolveSrv(name: string): Promise<readonly SrvRecord[]>;
}

export type RecordType = 'A' | 'AAAA' | 'A+AAAA' | 'SRV';

interface CommonOptions {
  /** The protocol of the endpoints' urls. Default: `http`. */
  readonly protocol?: 'http' | 'https';
  /** The longest pause between two queries, in milliseconds. A shorter TTL shortens it. Default: 30 000. */
  readonly intervalMs?: number;
  /** The shortest pause between two queries, in milliseconds. Default: 1 000, or `intervalMs` if that is shorter. */
  readonly minIntervalMs?: number;
  /** Each pause is longer by a random part of up to this share, so that clients do not query in step. Default: 0.1. */
  readonly jitter?: number;
  /** The time for all queries of one round, in milliseconds. Default: 5 000. */
  readonly timeoutMs?: number;
  /** Default: for each round a new `Resolver` of `node:dns/promises`, with the name servers that this machine has then. */
  readonly resolver?: ResolverLike;
  /** Ends the discovery. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** For records that hold addresses only. */
export interface AddressOptions extends CommonOptions {
  /** Default: `A`. */
  readonly type?: 'A' | 'AAAA' | 'A+AAAA';
  /** The port of all endpoints. */
  readonly port: number;
}

/** For records that hold the port too. */
export interface SrvOptions extends CommonOptions {
  readonly type: 'SRV';
}

export type DnsDiscoveryOptions = AddressOptions | SrvOptions;

const resolverRule = objectWith<ResolverLike>(
  ['resolve4', 'resolve6', 'resolveSrv'],
  "write `new Resolver()`, imported from 'node:dns/promises'",
);

const rules = {
  type: oneOf('A', ['A', 'AAAA', 'A+AAAA', 'SRV']),
  port: integer(undefined, { min: 1, max: 65_535 }),
  protocol: oneOf('http', ['http', 'https']),
  intervalMs: durationMs(30_000, { above: 0 }),
  minIntervalMs: durationMs(undefined, { above: 0 }),
  jitter: number(0.1, { min: 0 }),
  timeoutMs: durationMs(5_000, { above: 0 }),
  /** The one of `node:dns` has the same methods, with callbacks. */
  resolver: (value: unknown, option: string) =>
    resolverRule(value instanceof CallbackResolver ? 'node:dns' : value, option),
  signal: signal(),
  clock: clock(backgroundClock),
  random: random(),
} satisfies RulesFor<CommonOptions & { type?: string; port?: number }>;

const portRule = required(rules.port, 'addresses have no port; only SRV records do');

const nameRule: Rule<string> = (value, option) => {
  if (typeof value === 'string' && /^[^\s/:]+$/.test(value)) return value;
  throw refused(option, 'a name of the DNS', value, 'write a bare name, as `shop.internal`');
};

/** The checked options and the name. */
export interface DnsSettings extends Required<Omit<CommonOptions, 'signal' | 'resolver'>> {
  readonly name: string;
  readonly type: RecordType;
  /** 0 where the records hold the port. */
  readonly port: number;
  readonly signal: AbortSignal | undefined;
  /** Of the user. */
  readonly resolver: ResolverLike | undefined;
}

/** @throws InvalidOptionError */
export function dnsSettings(name: unknown, options: unknown): DnsSettings {
  const checkedName = nameRule(name, 'name');
  const checked = readOptions('dnsDiscovery', options, rules);
  const { type, port, intervalMs, minIntervalMs } = checked;
  const atMost = durationMs(Math.min(1_000, intervalMs), { above: 0, max: intervalMs });
  return {
    ...checked,
    name: checkedName,
    port: type === 'SRV' ? noPort(port) : portRule(port, 'port'),
    minIntervalMs: atMost(minIntervalMs, 'minIntervalMs'),
  };
}

function noPort(port: number | undefined): number {
  if (port === undefined) return 0;
  throw new InvalidOptionError('port', 'SRV records hold the port themselves: leave out `port`');
}
