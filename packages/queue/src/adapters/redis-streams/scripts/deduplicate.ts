import { type Script, script } from '@ashlar/store/redis-connection';
import { common } from './common.ts';
import { places } from './places.ts';

/**
 * Publishes messages that have a key of `deduplication`: each group has its own, among its retries, as each drops or
 * replaces by itself. ARGV: as for publishing, and after each message: mode, key, time of the key. Returns nothing without a
 * group, else of each 1, 0 when it is too many, or 2 when every group has dropped it.
 *
 * A key is held by a message that is there: one that is gone, however it went, holds nothing. The sorted set `t:<group>` has
 * throttled keys, by the time when they are free.
 */
export const deduplicateScript: Script = script(
  1,
  `${common}${places}
if redis.call('EXISTS', stream) == 0 then return false end
local window, most, now = tonumber(ARGV[1]), tonumber(ARGV[2]), milliseconds()
local recent, earlier = bucketsAt(window, now)
local groups = {}
for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  for at = 1, #each, 2 do
    if each[at] == 'name' then groups[#groups + 1] = each[at + 1] end
  end
end
local function isFull()
  for _, group in ipairs(groups) do
    if redis.call('XLEN', base .. 'r:' .. group) + redis.call('ZCARD', base .. 'p:' .. group) >= most then
      return true
    end
  end
  return false
end
local function isAdmitted(group, mode, key)
  local throttled = redis.call('ZSCORE', base .. 't:' .. group, key)
  if mode == 'throttle' then return not throttled or tonumber(throttled) <= now end
  local holder = redis.call('HGET', base .. 'dk:' .. group, key)
  if not holder then return true end
  local retries = base .. 'r:' .. group
  local kind, at, fields = own(group, holder)
  if not kind then return true end
  local isIdle = kind == 'p' or not inHands(retries, group, at)
  local expiresAt = fieldOf(fields, 'x')
  if isIdle and expiresAt and tonumber(expiresAt) <= now then return true end
  if mode == 'simple' then return false end
  if not isIdle then return true end
  if kind == 'p' then
    redis.call('ZREM', base .. 'p:' .. group, at)
    release(group, 'i' .. holder)
  else
    redis.call('XACK', retries, group, at)
    redis.call('XDEL', retries, at)
  end
  redis.call('HDEL', base .. 'j:' .. group, holder)
  return true
end
local function hold(group, mode, key, id, ms)
  redis.call('HSET', base .. 'dk:' .. group, key, id)
  local throttled = base .. 't:' .. group
  if mode == 'throttle' then
    redis.call('ZADD', throttled, now + ms, key)
  else
    redis.call('ZREM', throttled, key)
  end
  redis.call('ZREMRANGEBYSCORE', throttled, '-inf', now)
end
local function enter(group, id, fields, pause)
  if pause > 0 then
    redis.call('ZADD', base .. 'p:' .. group, now + pause, cmsgpack.pack(fields))
    put(group, id, 'p', now + pause)
  else
    put(group, id, 'r', redis.call('XADD', base .. 'r:' .. group, '*', unpack(fields)))
  end
end
local results = {}
for at = 3, #ARGV, 8 do
  local id, mode, key, ms = ARGV[at], ARGV[at + 5], ARGV[at + 6], tonumber(ARGV[at + 7])
  local result = 2
  if redis.call('HEXISTS', recent, id) == 0 and redis.call('HEXISTS', earlier, id) == 0 then
    if isFull() then
      result = 0
    else
      local fields = { ':' .. id, ARGV[at + 1], 'd', key }
      local function add(name, value)
        fields[#fields + 1] = name
        fields[#fields + 1] = value
      end
      if ARGV[at + 2] ~= '' then add('k', ARGV[at + 2]) end
      if ARGV[at + 4] ~= '' then add('x', now + ARGV[at + 4]) end
      for _, group in ipairs(groups) do
        if isAdmitted(group, mode, key) then
          hold(group, mode, key, id, ms)
          enter(group, id, fields, mode == 'debounce' and ms or tonumber(ARGV[at + 3]))
          result = 1
        end
      end
      redis.call('HSET', recent, id, '')
    end
  end
  results[#results + 1] = result
end
keepBucket(window, now)
ringAll()
return results`,
);
