import { asyncHooks } from '@ashlar/core';

/** Runs the work in a certain asynchronous context, and returns what it returns. */
export type InContext = <T>(work: () => T) => T;

/**
 * The asynchronous context of whoever calls it. What lives longer than a call is made in that of its set: a connection would
 * keep that of the request which has opened it, and run callbacks of other requests with its session.
 */
export function contextOfHere(): InContext {
  const hooks = asyncHooks();
  if (hooks === undefined) return work => work();
  const here = new hooks.AsyncResource('ReplicaSet');
  return work => here.runInAsyncScope(work);
}
