import { boolean, checkNames, describe, durationMs, functionOf, refused, signal } from '@ashlar/core';
import type { Key } from '@ashlar/hash-ring';
import type { Settlement } from './policy.ts';
import type { AcquireOptions, DrainOptions, PickOptions, RunOptions, Verdict } from './request.ts';

// By hand, as each request pays for it: a valid call allocates nothing

const pickNames = { key: true, prefer: true, exclude: true };
const drainNames = { timeoutMs: true, signal: true };
const acquireNames = { key: true, prefer: true, ...drainNames };
const runNames = { ...acquireNames, idempotent: true, hedge: true, classify: true };
const settlementNames = { ok: true, blame: true, error: true, retryAfterMs: true, latencyMs: true };
const verdictNames = { ok: true, blame: true, retryAfterMs: true, latencyMs: true, retry: true };

const timeout = /* @__PURE__ */ durationMs(undefined, { above: 0 });
const abortSignal = /* @__PURE__ */ signal();
const flag = /* @__PURE__ */ boolean();
const classifier = /* @__PURE__ */ functionOf('write `classify: result => ({ ok })`');

/** @throws InvalidOptionError, as all checks here */
export function checkPickOptions(options: PickOptions): void {
  if (!isObject(options)) throw refusedCall('pick', options);
  for (const name in options) {
    if (name !== 'key' && name !== 'prefer' && name !== 'exclude') checkNames('lb.pick', options, pickNames);
  }
  checkKey(options.key);
  checkPrefer(options.prefer);
}

export function checkDrainOptions(options: DrainOptions): void {
  checkNames('lb.drain', options, drainNames);
  timeout(options.timeoutMs, 'timeoutMs');
  abortSignal(options.signal, 'signal');
}

export function checkAcquireOptions(options: AcquireOptions): void {
  if (!isObject(options)) throw refusedCall('acquire', options);
  checkNames('lb.acquire', options, acquireNames);
  checkWait(options);
}

export function checkRunOptions<T>(options: RunOptions<T>): void {
  if (!isObject(options)) throw refusedCall('run', options);
  // The options of an adapter are an object of its own, with fields of its own
  if (options.cancellation === undefined) {
    for (const name in options) if (!isRunName(name)) checkNames('lb.run', options, runNames);
  }
  checkWait(options);
  flag(options.idempotent, 'idempotent');
  flag(options.hedge, 'hedge');
  classifier(options.classify, 'classify');
}

export function checkExcluded(exclude: Iterable<string>): readonly string[] {
  if (!isObject(exclude) || !(Symbol.iterator in exclude)) {
    throw refused('exclude', 'a list of ids', exclude, given =>
      typeof given === 'string' ? `write \`[${describe(given)}]\`` : undefined,
    );
  }
  const ids = Array.isArray(exclude) ? exclude : [...exclude];
  for (let index = 0; index < ids.length; index++) {
    if (typeof ids[index] !== 'string') throw refusedId(`exclude[${index}]`, ids[index]);
  }
  return ids;
}

export function checkSettlement(settlement: Settlement): void {
  if (!isObject(settlement)) throw refusedSettlement(settlement);
  for (const name in settlement) {
    if (!isJudgmentName(name) && name !== 'error') checkNames('done', settlement, settlementNames);
  }
  checkJudgment(settlement);
}

/** Of a `classify` by the user. */
export function checkedVerdict(verdict: Verdict): Verdict {
  if (!isObject(verdict) || verdict instanceof Promise) {
    throw refused('classify', 'a function that returns `{ ok }`', verdict, 'it returned this, synchronously');
  }
  for (const name in verdict) {
    if (!isJudgmentName(name) && name !== 'retry') checkNames(verdictOf, verdict, verdictNames);
  }
  checkJudgment(verdict);
  return verdict;
}

const verdictOf = 'the verdict of `classify`';

// Comparisons, as a lookup by a name that varies costs several times as much

function isRunName(name: string): boolean {
  return (
    name === 'key' ||
    name === 'prefer' ||
    name === 'timeoutMs' ||
    name === 'signal' ||
    name === 'idempotent' ||
    name === 'hedge' ||
    name === 'classify'
  );
}

function isJudgmentName(name: string): boolean {
  return name === 'ok' || name === 'latencyMs' || name === 'retryAfterMs' || name === 'blame';
}

function checkJudgment({ ok, blame, retryAfterMs, latencyMs }: Settlement | Verdict): void {
  if (typeof ok !== 'boolean') throw refused('ok', 'true or false', ok);
  if (blame !== undefined && typeof blame !== 'boolean') throw refused('blame', 'true or false', blame);
  if (retryAfterMs !== undefined && typeof retryAfterMs !== 'number')
    throw refusedMs('retryAfterMs', retryAfterMs);
  if (latencyMs !== undefined && typeof latencyMs !== 'number') throw refusedMs('latencyMs', latencyMs);
}

function checkWait({ key, prefer, timeoutMs, signal }: AcquireOptions): void {
  checkKey(key);
  checkPrefer(prefer);
  timeout(timeoutMs, 'timeoutMs');
  abortSignal(signal, 'signal');
}

function checkPrefer(prefer: string | undefined): void {
  if (prefer !== undefined && typeof prefer !== 'string') throw refusedId('prefer', prefer);
}

function checkKey(key: Key | undefined): void {
  if (key === undefined || typeof key === 'string' || ArrayBuffer.isView(key)) return;
  throw refused('key', 'a string or bytes', key, given =>
    typeof given === 'number' || typeof given === 'bigint' ? `write \`'${given}'\`` : undefined,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function refusedCall(method: string, options: unknown): Error {
  return refused('options', 'an object', options, given =>
    typeof given === 'string' ? `write \`lb.${method}({ key: ${describe(given)} })\`` : undefined,
  );
}

function refusedId(option: string, id: unknown): Error {
  return refused(option, 'the id of an endpoint', id, given =>
    isObject(given) && 'id' in given ? 'write `endpoint.id`' : undefined,
  );
}

function refusedMs(option: string, value: unknown): Error {
  return refused(option, 'a number of milliseconds', value);
}

function refusedSettlement(settlement: unknown): Error {
  return refused('settlement', 'an object with `ok`', settlement, given =>
    typeof given === 'boolean' ? `write \`done({ ok: ${given} })\`` : undefined,
  );
}
