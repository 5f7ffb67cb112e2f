import { type Script, script } from '@ashlar/store/redis-connection';
import { aside } from './aside.ts';
import { common, makingRoom } from './common.ts';
import { places } from './places.ts';
import { lanes } from './sharing/lanes.ts';

const looks = `
local function waits(group, entry)
  return isUnread(group, entry) and #redis.call('XRANGE', stream, entry, entry) == 1
end
local function among(list, name)
  return list and string.find(',' .. list .. ',', ',' .. name .. ',', 1, true) ~= nil
end
`;

/**
 * What is known of a message. ARGV: group, id. Returns nothing, or its state, deliveries, failures, and where there are
 * such: progress, result, reason.
 */
export const findScript: Script = script(
  1,
  `${common}${places}${aside}${looks}
local group, id = ARGV[1], ARGV[2]
redis.call('XPENDING', stream, group) -- fails without the group
local progress = base .. 'g:' .. group
local kind, at, fields = own(group, id)
if kind then
  local pending = kind == 'r' and pendingAt(base .. 'r:' .. group, group, at)
  local held = pending and pending[2] ~= nobody
  local deliveries = tonumber(fieldOf(fields, 'n') or 0) + (pending and deliveriesOf(pending) or 0)
  local state = kind == 'p' and 'delayed' or held and 'active' or 'waiting'
  local reached = held and redis.call('HGET', progress, 'r' .. at) or fieldOf(fields, 'g') or false
  return { state, deliveries, tonumber(fieldOf(fields, 'f') or 0), reached }
end
local packed = redis.call('HGET', base .. 'dead:' .. group, id)
if packed then
  local letter = cmsgpack.unpack(packed)
  local counts = { tonumber(fieldOf(letter, 'n') or 0), tonumber(fieldOf(letter, 'f') or 0) }
  return { 'dead', counts[1], counts[2], fieldOf(letter, 'g') or false, false, fieldOf(letter, 'reason') }
end
packed = redis.call('HGET', base .. 'done:' .. group, id)
if packed then
  local done = cmsgpack.unpack(packed)
  return { 'done', done[1], done[2], done[4] or false, done[3] }
end
if redis.call('HEXISTS', base .. 'zi', id) == 1 then
  return not among(redis.call('HGET', base .. 'zc', id), group) and { 'delayed', 0, 0 }
end
local entry = sharedEntry(id)
if not entry then return false end
local held = pendingAt(stream, group, entry)
if held then
  return { held[2] == nobody and 'waiting' or 'active', deliveriesOf(held), 0, redis.call('HGET', progress, entry) }
end
if not waits(group, entry) or redis.call('SISMEMBER', base .. 'c:' .. group, entry) == 1 then return false end
return { 'waiting', 0, 0 }`,
);

/**
 * Takes a message away from a group. ARGV: group, id. Returns whether there was one that is not dead.
 *
 * One that waits in the stream stays there for other groups, and is passed over.
 */
export const cancelScript: Script = script(
  1,
  `${makingRoom}${places}${aside}${looks}
local group, id = ARGV[1], ARGV[2]
redis.call('XPENDING', stream, group) -- fails without the group
local retries = base .. 'r:' .. group
local kind, at, fields = own(group, id)
if kind then
  if kind == 'p' then
    redis.call('ZREM', base .. 'p:' .. group, at)
  else
    takeAway(retries, group, at)
    redis.call('HDEL', base .. 'g:' .. group, 'r' .. at)
    redis.call('XACK', retries, group, at)
    redis.call('XDEL', retries, at)
  end
  forget(group, fields)
  return 1
end
if redis.call('HEXISTS', base .. 'dead:' .. group, id) == 1 then return 0 end
local dueAt = redis.call('HGET', base .. 'zi', id)
if dueAt then
  local without = redis.call('HGET', base .. 'zc', id)
  if among(without, group) then return 0 end
  without = without and without .. ',' .. group or group
  for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    if not among(without, fieldsOf(each).name) then
      redis.call('HSET', base .. 'zc', id, without)
      return 1
    end
  end
  local packed = due(base .. 'z', dueAt, id)
  if packed then redis.call('ZREM', base .. 'z', packed) end
  redis.call('HDEL', base .. 'zi', id)
  redis.call('HDEL', base .. 'zc', id)
  return 1
end
local entry = sharedEntry(id)
if not entry then return 0 end
if takeAway(stream, group, entry) then
  redis.call('HDEL', base .. 'g:' .. group, entry)
  redis.call('XACK', stream, group, entry)
  return 1
end
if not waits(group, entry) then return 0 end
if redis.call('SADD', base .. 'c:' .. group, entry) == 0 then return 0 end
setAside(group)
return 1`,
);

/** Stops handing out to a group. ARGV: group. */
export const pauseScript: Script = script(
  1,
  `${makingRoom}${aside}
redis.call('XPENDING', stream, ARGV[1]) -- fails without the group
setAside(ARGV[1])
redis.call('HSET', base .. 'aside:' .. ARGV[1], 'paused', 1)
return 1`,
);

/** Undoes that. ARGV: group. */
export const resumeScript: Script = script(
  1,
  `${makingRoom}${lanes}${aside}
redis.call('XPENDING', stream, ARGV[1]) -- fails without the group
if not isPaused(ARGV[1]) then return 0 end
if redis.call('EXISTS', base .. 'c:' .. ARGV[1]) == 1 then
  redis.call('HDEL', base .. 'aside:' .. ARGV[1], 'paused')
else
  putBack(ARGV[1])
end
ring(ARGV[1])
return 1`,
);
