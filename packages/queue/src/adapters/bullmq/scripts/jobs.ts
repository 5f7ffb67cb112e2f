import { type Script, script } from '@ashlar/store/redis-connection';

/**
 * Gives a priority to those that wait without one, which BullMQ hands out before all that have one. KEYS: `wait`, `paused`,
 * `prioritized`, `pc`. ARGV: the beginning of the keys of jobs, the priority. Returns how many, at most 1 000.
 */
export const sortScript: Script = script(
  4,
  `
local ids = redis.call('RPOP', KEYS[1], 1000) or redis.call('RPOP', KEYS[2], 1000)
for _, id in ipairs(ids or {}) do
  local count = redis.call('INCR', KEYS[4])
  redis.call('HSET', ARGV[1] .. id, 'priority', ARGV[2])
  redis.call('ZADD', KEYS[3], ARGV[2] * 0x100000000 + count % 0x100000000, id)
end
return ids and #ids or 0`,
);

/**
 * Gives a priority to those without one that do not wait now and may later. KEYS: `active`, `delayed`, `failed`. ARGV: the
 * beginning of the keys of jobs, the priority, how many of each to pass over. Returns 1 if there may be more than the next 1 000.
 */
export const markScript: Script = script(
  3,
  `
local from, more = tonumber(ARGV[3]), 0
local function mark(ids)
  for _, id in ipairs(ids) do
    local job = ARGV[1] .. id
    local hasNone = (tonumber(redis.call('HGET', job, 'priority')) or 0) == 0
    if hasNone and redis.call('EXISTS', job) == 1 then redis.call('HSET', job, 'priority', ARGV[2]) end
  end
  if #ids == 1000 then more = 1 end
end
mark(redis.call('LRANGE', KEYS[1], from, from + 999))
-- From the end, as those that begin leave at the beginning
for at = 2, 3 do mark(redis.call('ZREVRANGE', KEYS[at], from, from + 999)) end
return more`,
);

/**
 * Gives back uncharged what a consumer was handed out and never received. KEYS: `active`, `wait`, `stalled`, `marker`,
 * `meta`, and the list of those that wait while the queue is paused. ARGV: the beginning of the keys of jobs, that of the
 * consumer's tokens, then the jobs that it knows of. Returns how many.
 */
export const straysScript: Script = script(
  6,
  `
local waiting = redis.call('HEXISTS', KEYS[5], 'paused') == 1 and KEYS[6] or KEYS[2]
local base, consumer, known, strays = ARGV[1], ARGV[2], {}, 0
for at = 3, #ARGV do known[ARGV[at]] = true end
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if not known[id] then
    local token = redis.call('GET', base .. id .. ':lock')
    if token and string.sub(token, 1, #consumer) == consumer then
      redis.call('DEL', base .. id .. ':lock')
      redis.call('SREM', KEYS[3], id)
      redis.call('LREM', KEYS[1], -1, id)
      redis.call('HINCRBY', base .. id, 'ats', -1)
      redis.call('RPUSH', waiting, id)
      redis.call('ZADD', KEYS[4], 0, '0')
      strays = strays + 1
    end
  end
end
return strays`,
);

/**
 * Frees the key of a deduplication from a job. KEYS: the key, `wait`, `paused`, `prioritized`, the job. ARGV: the job's
 * id, 1 to free it from a living job too, the present time as an `expirytime`. Returns 0 when the key stays with its job, 1 when it is
 * free, 2 when the job waits still.
 */
export const freeKeyScript: Script = script(
  5,
  `
local id = ARGV[1]
local function isExpired()
  local isJson, event = pcall(cjson.decode, redis.call('HGET', KEYS[5], 'data'))
  local at = isJson and type(event) == 'table' and event.expirytime
  return type(at) == 'string' and at <= ARGV[3] and redis.call('EXISTS', KEYS[5] .. ':lock') == 0
end
local isOver = redis.call('EXISTS', KEYS[5]) == 0 or redis.call('HEXISTS', KEYS[5], 'finishedOn') == 1 or isExpired()
if not isOver and ARGV[2] ~= '1' then return 0 end
if redis.call('GET', KEYS[1]) == id then redis.call('DEL', KEYS[1]) end
if isOver then return 1 end
if redis.call('ZSCORE', KEYS[4], id) then return 2 end
for at = 2, 3 do
  for _, each in ipairs(redis.call('LRANGE', KEYS[at], 0, -1)) do
    if each == id then return 2 end
  end
end
return 1`,
);

/**
 * Whether a job is dead. An evicting server may have lost the dead one, and its id may have been published again: then that
 * is among the dead no more. KEYS: `failed`, the job. ARGV: its id. Returns 1 or 0.
 */
export const deadScript: Script = script(
  2,
  `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 or redis.call('HEXISTS', KEYS[2], 'failedReason') == 1 then return 1 end
redis.call('ZREM', KEYS[1], ARGV[1])
return 0`,
);

/**
 * Ends the lease of a job that is to be canceled. KEYS: the job, its lock. Returns 0 when there is none that could be, else 1.
 */
export const releaseScript: Script = script(
  2,
  `
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'finishedOn') == 1 then return 0 end
redis.call('DEL', KEYS[2])
return 1`,
);

/**
 * Keeps the id of a job that was taken away, so that its message, published again, is no other. KEYS: the job. ARGV: for how
 * many milliseconds.
 */
export const keepIdScript: Script = script(
  1,
  `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'gone', 1, 'finishedOn', 1)
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`,
);

/**
 * What is known of a job. KEYS: the job, its lock, `delayed`, `failed`, `completed`, `active`. ARGV: its id. Returns its state
 * and its fields.
 */
export const findScript: Script = script(
  6,
  `
local id = ARGV[1]
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'gone') == 1 then return false end
local state = 'waiting'
if redis.call('ZSCORE', KEYS[4], id) then
  state = 'dead'
elseif redis.call('ZSCORE', KEYS[5], id) then
  state = 'done'
elseif redis.call('ZSCORE', KEYS[3], id) then
  state = 'delayed'
elseif redis.call('EXISTS', KEYS[2]) == 1 then
  state = 'active'
else
  -- Its lease has ended, and nobody has found it yet
  for _, each in ipairs(redis.call('LRANGE', KEYS[6], 0, -1)) do
    if each == id then state = 'active' end
  end
end
local fields = redis.call('HMGET', KEYS[1], 'ats', 'atm', 'progress', 'returnvalue', 'failedReason')
return { state, unpack(fields, 1, 5) }`,
);
