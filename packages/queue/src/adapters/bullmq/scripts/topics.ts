import { type Script, script } from '@ashlar/store/redis-connection';

const milliseconds = `
local function milliseconds()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
`;

/**
 * Declares a group. KEYS: the record of the topic, the `meta` of the group's queue. ARGV: group, window. Returns the
 * milliseconds until every publisher knows it: one keeps what it has read for a window at most, and no empty record.
 */
export const declareScript: Script = script(
  2,
  `${milliseconds}
local field, window, now = 'g:' .. ARGV[1], tonumber(ARGV[2]), milliseconds()
redis.call('HSETNX', KEYS[2], 'opts.maxLenEvents', 10000)
-- It goes with the queue when that is obliterated, also where a script of BullMQ makes meta again
redis.call('HSET', KEYS[2], 'declared', 1)
local since = redis.call('HGET', KEYS[1], field)
if not since then
  since = redis.call('EXISTS', KEYS[1]) == 1 and now or 0
  redis.call('HSET', KEYS[1], field, since)
end
return math.max(0, math.min(window, since + window - now))`,
);

/** Notes that a topic has priorities. KEYS: the record of the topic. ARGV: window. Returns as a declaration does. */
export const prioritizeScript: Script = script(
  1,
  `${milliseconds}
local window, now = tonumber(ARGV[1]), milliseconds()
redis.call('HSETNX', KEYS[1], 'priorities', now)
return math.max(0, math.min(window, redis.call('HGET', KEYS[1], 'priorities') + window - now))`,
);

/** Notes that what was published before has a priority, too. KEYS: the record of the topic. */
export const sortedScript: Script = script(1, `return redis.call('HSET', KEYS[1], 'sorted', 1)`);

/**
 * Whether a group is there. KEYS: the record of the topic, `meta` and `stalled-check` of its queue. ARGV: group, the interval in
 * which stalled jobs are looked for: a worker of other code may have a longer one, and would keep us from it.
 */
export const aliveScript: Script = script(
  3,
  `
if redis.call('HEXISTS', KEYS[1], 'g:' .. ARGV[1]) == 0 or redis.call('HEXISTS', KEYS[2], 'declared') == 0 then return 0 end
if redis.call('PTTL', KEYS[3]) > tonumber(ARGV[2]) then redis.call('DEL', KEYS[3]) end
return 1`,
);
