import type { Endpoint } from '../../endpoint.ts';
import { DiscoveryError } from '../../errors.ts';
import type { AddressRecord, DnsSettings, ResolverLike } from './options.ts';
import type { Round } from './round.ts';

/** An endpoint from the DNS; its `id` is `address:port`. */
export interface DnsEndpoint extends Endpoint {
  readonly url: string;
  /** The address. For SRV over https the name, as certificates hold names. */
  readonly host: string;
  readonly port: number;
}

export interface DnsAnswer {
  /** Sorted by id. */
  readonly endpoints: readonly DnsEndpoint[];
  /** The shortest of all records, in milliseconds; `Infinity` when no record has one. */
  readonly ttlMs: number;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly weight: number | undefined;
}

/** One round of queries. Rejects when no endpoint is found: with the error of the round, or DiscoveryError. */
export async function lookUp(
  resolver: ResolverLike,
  settings: DnsSettings,
  round: Round,
): Promise<DnsAnswer> {
  const { name, type, port } = settings;
  if (type === 'SRV') return lookUpServices(resolver, settings, round);
  const records = await addresses(resolver, round, name, type);
  const targets = records.map(({ address }) => ({ host: address, port, weight: undefined }));
  return answer(settings, round, targets, shortestTtlMs(records));
}

/** Only the lowest priority counts (RFC 2782). The addresses of a target share its weight. */
async function lookUpServices(
  resolver: ResolverLike,
  settings: DnsSettings,
  round: Round,
): Promise<DnsAnswer> {
  const { name, protocol } = settings;
  const found = await round.ask(`SRV ${name}`, () => resolver.resolveSrv(name));
  const best = Math.min(...found.map(({ priority }) => priority));
  // An empty target means that the service does not exist here
  const services = found.filter(
    ({ priority, name: target }) => priority === best && target.replace('.', '') !== '',
  );
  const weights = weightsOf(services.map(({ weight }) => weight));
  const resolved = await Promise.all(
    services.map(async ({ name: target, port }, index) => {
      // Certificates hold the name
      if (protocol === 'https')
        return { targets: [{ host: target, port, weight: weights[index] }], ttlMs: Infinity };
      const ipv4 = await addresses(resolver, round, target, 'A');
      const records = ipv4.length > 0 ? ipv4 : await addresses(resolver, round, target, 'AAAA');
      const weight = weights[index]! / records.length;
      const targets = records.map(({ address }) => ({ host: address, port, weight }));
      return { targets, ttlMs: shortestTtlMs(records) };
    }),
  );
  const ttlMs = Math.min(...resolved.map(service => service.ttlMs));
  return answer(
    settings,
    round,
    resolved.flatMap(({ targets }) => targets),
    ttlMs,
  );
}

async function addresses(
  resolver: ResolverLike,
  round: Round,
  name: string,
  type: 'A' | 'AAAA' | 'A+AAAA',
): Promise<readonly AddressRecord[]> {
  const ipv4 = type === 'AAAA' ? [] : round.ask(`A ${name}`, () => resolver.resolve4(name, { ttl: true }));
  const ipv6 = type === 'A' ? [] : round.ask(`AAAA ${name}`, () => resolver.resolve6(name, { ttl: true }));
  return (await Promise.all([ipv4, ipv6])).flat();
}

function answer(
  { name, type, protocol }: DnsSettings,
  round: Round,
  targets: readonly Target[],
  ttlMs: number,
): DnsAnswer {
  if (targets.length === 0 && round.error !== undefined) throw round.error;
  if (targets.length === 0)
    throw new DiscoveryError(`the DNS has no ${type} records of ${name} with a usable target`);
  const endpoints = new Map<string, DnsEndpoint>();
  for (const { host, port, weight } of targets) {
    const id = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const before = endpoints.get(id)?.weight;
    const url = `${protocol}://${id}`;
    const sum = before === undefined || weight === undefined ? weight : before + weight;
    endpoints.set(id, { id, url, host, port, ...(sum === undefined ? {} : { weight: sum }) });
  }
  return { endpoints: [...endpoints.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), ttlMs };
}

/** All 0 means equal weights; otherwise 0 means a hundredth of the smallest (RFC 2782: a very small chance). */
function weightsOf(weights: readonly number[]): readonly number[] {
  const smallest = Math.min(...weights.filter(weight => weight > 0));
  if (smallest === Infinity) return weights.map(() => 1);
  return weights.map(weight => (weight > 0 ? weight : smallest / 100));
}

function shortestTtlMs(records: readonly AddressRecord[]): number {
  return Math.min(...records.map(({ ttl }) => ttl * 1_000));
}
