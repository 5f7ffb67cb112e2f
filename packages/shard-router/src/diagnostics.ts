import { type Channel, channel } from '@ashlar/core';
import type { MoveEvent } from './moves/events.ts';
import type { Settled } from './two-phase/recovery.ts';

interface OfRouter {
  readonly router: string;
}

/** A router goes by another map. */
export interface MapMessage extends OfRouter {
  readonly epoch: number;
  readonly revision: number;
}
/** The map in the store is damaged, or not for this router: it goes by the one before, for as long as that may be. */
export interface MapRefusedMessage extends OfRouter {
  readonly error: unknown;
}
/** A shard refused a write, which waits for its rows to arrive elsewhere. */
export interface WriteHeldMessage extends OfRouter {
  readonly shard: string;
  readonly slot: number;
}
/** Work was run on a shard that did not have its slot any more, and is run again. */
export interface RerouteMessage extends OfRouter {
  readonly operation: 'read' | 'write' | 'transaction';
  readonly from: string;
  readonly slot: number;
}
/** A transaction over several shards is committed, and these could not be told yet: their rows stay locked until a router does. */
export interface InDoubtMessage extends OfRouter {
  readonly transaction: string;
  readonly shards: readonly string[];
}
/** What a sweep has settled that others have left, and what it could not do; `shard` is empty where it was not one shard's failure. */
export interface SweepMessage extends OfRouter {
  readonly settled: readonly Settled[];
  readonly failed: readonly { readonly shard: string; readonly error: unknown }[];
}
/** A key, a slot or a shard has had more than its part of the calls of one router, in the time that was counted last. */
export interface HotMessage extends OfRouter {
  readonly kind: 'key' | 'slot' | 'shard';
  /** As the map keeps keys: of several columns, their texts as JSON. */
  readonly key?: string;
  readonly slot?: number;
  readonly shard: string;
  readonly perSecond: number;
  /** Of all calls, from 0 to 1. */
  readonly share: number;
}
/** A move has got further. */
export type MoveMessage = OfRouter & MoveEvent;

/** The `node:diagnostics_channel`s of this package. A message is built only while there is a subscriber. */
export const channels: {
  readonly map: Channel<MapMessage>;
  readonly mapRefused: Channel<MapRefusedMessage>;
  readonly writeHeld: Channel<WriteHeldMessage>;
  readonly reroute: Channel<RerouteMessage>;
  readonly inDoubt: Channel<InDoubtMessage>;
  readonly sweep: Channel<SweepMessage>;
  readonly hot: Channel<HotMessage>;
  readonly move: Channel<MoveMessage>;
} = {
  map: channel('ashlar:shard-router:map'),
  mapRefused: channel('ashlar:shard-router:map-refused'),
  writeHeld: channel('ashlar:shard-router:write-held'),
  reroute: channel('ashlar:shard-router:reroute'),
  inDoubt: channel('ashlar:shard-router:in-doubt'),
  sweep: channel('ashlar:shard-router:sweep'),
  hot: channel('ashlar:shard-router:hot'),
  move: channel('ashlar:shard-router:move'),
};
