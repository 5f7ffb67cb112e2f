import { type Clock, numberOption, type Random } from '@ashlar/core';
import type { Endpoint } from './endpoint.ts';
import { Availability } from './endpoints/availability.ts';
import { Roster } from './endpoints/endpoint-set.ts';
import { Members } from './endpoints/members.ts';
import { SlowStart } from './endpoints/slow-start.ts';
import type { HealthSettings } from './health/options.ts';
import { checkConcurrency } from './limits/limiter.ts';
import type { LoadBalancerOptions } from './options.ts';
import { OutlierEjection } from './outlier/ejection.ts';
import { outlierSettings } from './outlier/options.ts';
import { leastRequests } from './policies/least-requests.ts';
import { madePolicy } from './util/option-checks.ts';

/** The roster with the parts that the options ask for. @throws InvalidOptionError */
export function assembleRoster<E extends Endpoint>(
  balancer: string,
  options: LoadBalancerOptions<E>,
  health: HealthSettings<E> | undefined,
  clock: Clock,
  random: Random,
): Roster<E> {
  const { policy = leastRequests(), outlier = {}, concurrency = Infinity } = options;
  const { panicPercent = 50, slowStartMs = 0 } = options;
  checkConcurrency(concurrency);
  numberOption('panicPercent', panicPercent, { min: 0, max: 100 });
  numberOption('slowStartMs', slowStartMs, { min: 0 });
  const members = new Members<E>();
  const settings = outlier === false ? undefined : outlierSettings(outlier);
  return new Roster({
    balancer,
    members,
    health: health === undefined || health.serveUnchecked ? 'healthy' : 'unchecked',
    policy: madePolicy<E>(policy),
    availability: new Availability(balancer, panicPercent),
    outlier: settings && new OutlierEjection(balancer, settings, members),
    slowStart: slowStartMs === 0 ? undefined : new SlowStart(slowStartMs),
    concurrency,
    now: () => clock.now(),
    random,
  });
}
