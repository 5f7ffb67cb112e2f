import { lanes } from './sharing/lanes.ts';

/**
 * Where messages are, by their ids.
 *
 * What all groups share has its entry in the hashes `i:<bucket>`, which also say which ids were published lately: '' stands
 * for one that is not in the stream. The sorted set `ib` has the buckets, by the time until which an id is the same message.
 * The hash `zi` has the time when a delayed one is due. What is a group's own is in the hash `j:<group>`: `r` and its entry, or
 * `p` and the time when it is due.
 *
 * Two more fields of a message are read here: `d`, the key of its deduplication, and `g`, the progress of an earlier delivery.
 * The hash `dk:<group>` has who holds a key; the hash `g:<group>` the progress of those in hands, by their entries, with an
 * `r` before those of retries.
 */
export const places: string = `${lanes}
local function fieldOf(fields, name)
  for at = 1, #fields, 2 do
    if fields[at] == name then return fields[at + 1] end
  end
end
local function idOf(fields)
  return string.sub(fields[1], 2)
end
local function bucketsAt(window, now)
  local bucket = math.floor(now / window)
  return base .. 'i:' .. bucket, base .. 'i:' .. (bucket - 1)
end
local function keepBucket(window, now)
  local bucket = math.floor(now / window)
  redis.call('ZADD', base .. 'ib', (bucket + 2) * window, bucket)
end
local function sharedEntry(id)
  for _, bucket in ipairs(redis.call('ZREVRANGE', base .. 'ib', 0, -1)) do
    local entry = redis.call('HGET', base .. 'i:' .. bucket, id)
    if entry and entry ~= '' then return entry end
  end
end
local function due(held, at, id)
  for _, packed in ipairs(redis.call('ZRANGEBYSCORE', held, at, at)) do
    local fields = cmsgpack.unpack(packed)
    if idOf(fields) == id then return packed, fields end
  end
end
local function put(group, id, kind, at)
  redis.call('HSET', base .. 'j:' .. group, id, kind .. at)
end
local function own(group, id)
  local place = redis.call('HGET', base .. 'j:' .. group, id)
  if not place then return end
  local kind, at = string.sub(place, 1, 1), string.sub(place, 2)
  if kind == 'r' then
    local found = redis.call('XRANGE', base .. 'r:' .. group, at, at)[1]
    if found then return kind, at, found[2] end
  else
    local packed, fields = due(base .. 'p:' .. group, at, id)
    if packed then return kind, packed, fields end
  end
end
local function pendingAt(from, group, entry)
  return redis.call('XPENDING', from, group, entry, entry, 1)[1]
end
local function deliveriesOf(pending)
  return pending[4] - (pending[2] == nobody and 1 or 0)
end
local function inHands(from, group, entry)
  local held = pendingAt(from, group, entry)
  return held and held[2] ~= nobody and held
end
-- Also of what is filed
local function takeAway(from, group, entry)
  local held = pendingAt(from, group, entry)
  if held then redis.call('SREM', base .. 'sure:' .. group, held[2]) end
  release(group, nameIn(from, entry))
  return held
end
-- It is done with: nothing of it stays, and its key is free
local function forget(group, fields)
  local id, key = idOf(fields), fieldOf(fields, 'd')
  redis.call('HDEL', base .. 'j:' .. group, id)
  release(group, 'i' .. id)
  if key and redis.call('HGET', base .. 'dk:' .. group, key) == id then
    redis.call('HDEL', base .. 'dk:' .. group, key)
  end
end
-- Called before the entries are deleted
local function settled(from, group, entries)
  local progress = base .. 'g:' .. group
  if redis.call('EXISTS', progress) == 1 then
    for _, entry in ipairs(entries) do redis.call('HDEL', progress, nameIn(from, entry)) end
  end
  if redis.call('EXISTS', base .. 'hands:' .. group) == 1 then
    for _, entry in ipairs(entries) do release(group, nameIn(from, entry)) end
  end
  if from == stream then return end
  for _, entry in ipairs(entries) do
    local found = redis.call('XRANGE', from, entry, entry)[1]
    if found then forget(group, found[2]) end
  end
end
`;
